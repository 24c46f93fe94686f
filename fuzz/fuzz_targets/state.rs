#![no_main]
#![doc = "Checkpoints: tensors, whose digest fits."]

use std::sync::LazyLock;

use clapp_fuzz::checkpoint::Saved;
use libfuzzer_sys::fuzz_target;

static SAVED: LazyLock<Saved> = LazyLock::new(Saved::new);

fuzz_target!(|bytes: &[u8]| SAVED.read_state(bytes));
