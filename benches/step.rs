//! Whole steps, inference and the loader: `cargo bench --bench step`.

use std::hint::black_box;
use std::time::Duration;

use burn::tensor::Device;
use clapp::rules::Rule;
use clapp_benches::{IMAGES, Images, Setting, Training, images};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn steps(criterion: &mut Criterion, name: &str, setting: &Setting) {
    let device = Device::flex();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(setting.batch as u64));
    for (rule_name, rule) in [("CLAPP-s", Rule::clapp_s()), ("CLAPP", Rule::clapp())] {
        let mut training = Training::new(setting, rule, &device).expect("VGG-6 takes these sizes");
        let mut step = 0;
        group.bench_function(rule_name, |bencher| {
            let fresh = || {
                step += 1;
                images(setting, step, &device)
            };
            bencher.iter_batched(fresh, |images| training.step(images), BatchSize::PerIteration);
        });
    }
    let network =
        Training::new(setting, Rule::clapp_s(), &device).expect("VGG-6 takes these sizes");
    let input = images(setting, 0, &device);
    group.bench_function("inference", |bencher| {
        bencher.iter(|| black_box(network.features(input.clone())));
    });
    group.finish();
}

fn full_width(criterion: &mut Criterion) {
    steps(criterion, "step, full width, 8 images", &Setting::full());
}

fn quarter_width(criterion: &mut Criterion) {
    steps(criterion, "step, quarter width, 32 images", &Setting::quarter());
}

fn loader(criterion: &mut Criterion) {
    let images = Images::new(&Setting::quarter()).expect("the temporary folder has room for 28 MB");
    let mut group = criterion.benchmark_group("loader");
    group.throughput(Throughput::Elements(IMAGES as u64));
    let mut epoch = 0;
    group.bench_function("STL-10, one worker", |bencher| {
        bencher.iter(|| {
            epoch += 1;
            images.epoch(epoch).expect("the file is not touched")
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    // A step takes 0.1 to 1 s: ten samples of it are a stable median.
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(6));
    targets = full_width, quarter_width, loader
}
criterion_main!(benches);
