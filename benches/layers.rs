//! Each convolution of VGG-6, forward pass and weight gradient: `cargo bench --bench layers`.

use std::hint::black_box;
use std::time::Duration;

use burn::tensor::Device;
use clapp_benches::{Setting, cases};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn layers(criterion: &mut Criterion, name: &str, setting: &Setting) {
    let cases = cases(setting, &Device::flex()).expect("VGG-6 takes these sizes");
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(setting.batch as u64));
    for (l, case) in cases.iter().enumerate() {
        group.bench_function(BenchmarkId::new("forward", l + 1), |bencher| {
            bencher.iter(|| black_box(case.forward()));
        });
        let activity = case.forward();
        group.bench_function(BenchmarkId::new("weight gradient", l + 1), |bencher| {
            bencher.iter(|| black_box(case.update(&activity)));
        });
    }
    group.finish();
}

fn full_width(criterion: &mut Criterion) {
    layers(criterion, "layers, full width, 8 images", &Setting::full());
}

fn quarter_width(criterion: &mut Criterion) {
    layers(criterion, "layers, quarter width, 32 images", &Setting::quarter());
}

criterion_group! {
    name = benches;
    // A call takes 1 to 100 ms: ten samples of it are a stable median.
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = full_width, quarter_width
}
criterion_main!(benches);
