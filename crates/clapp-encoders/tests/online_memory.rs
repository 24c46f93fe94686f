//! Learning forward in time takes no more memory for a long recording than for a short one.
#![cfg(feature = "flex")]

use burn::tensor::{Device, Tensor};
use clapp_encoders::{LocalGru, OnlineGru, Recurrence};
use clapp_random::{Purpose, stream};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[test]
fn traces_take_as_much_after_many_steps_as_after_a_few() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let (device, mut random) = (Device::flex(), stream(2, Purpose::Initialisation, [0; 4]));
    let (streams, inputs, units) = (2, 24, 16);
    let cell = LocalGru::init(inputs, units, Recurrence::EProp, &device, &mut random);
    let mut gru = OnlineGru::new(cell);
    let mut after = |steps: usize| {
        let before = dhat::HeapStats::get().max_bytes;
        for _ in 0..steps {
            gru.step(Tensor::ones([streams, inputs], &device));
        }
        let told = Tensor::ones([streams, units], &device);
        let update = gru.delta(told).expect("it has heard something");
        assert_eq!(update.input.dims(), [3 * units, inputs]);
        drop(update);
        let heap = dhat::HeapStats::get();
        (heap.curr_bytes, heap.max_bytes - before)
    };
    let (few, _) = after(10);
    let (many, more_at_once) = after(200);
    // The tables of the library and of the test harness may grow by some entries; one step's states,
    // kept 200 times, would be 100 kB.
    let slack = 8 << 10;
    assert!(many < few + slack, "expected about {few} bytes after 210 steps, got {many}");
    assert!(more_at_once < slack, "expected no higher peak, got {more_at_once} bytes more");
}
