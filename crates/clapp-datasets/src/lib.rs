//! Data for CLAPP: STL-10 and CIFAR readers, an embedded synthetic set, augmentation, and a loader with worker threads.
