//! Backend-generic primitives of a layer-local learning step: fused convolution, Hebbian products, one-pass optimizer steps.
