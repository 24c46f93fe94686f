//! Every instruction set and path against plain loops in f64.

use super::*;

mod convolution;
mod elementwise;
mod oracle;
