//! The layer loss by automatic differentiation.
