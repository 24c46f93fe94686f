//! Layers that learn locally and the encoders built of them.
