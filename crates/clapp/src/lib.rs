//! CLAPP: deep networks that learn without labels and without back-propagation. Presets, training loop, checkpoints.
