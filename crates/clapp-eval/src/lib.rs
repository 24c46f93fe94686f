//! Evaluation of frozen features: linear probes, k-NN, per-layer reports and figures.
