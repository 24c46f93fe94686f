//! A quick read-out of a stack.

use burn::tensor::{Device, Tensor, TensorData};
use clapp::datasets::{Batch, ImagePipeline, Loader, LoaderConfig, synthetic};
use clapp::eval::{Features, StandardisedProbe, probe};
use clapp::{Error, encoders::Stack, readout::rows};

/// A batch of images, `[b, c, y, x]`, on the CPU.
#[must_use]
pub fn tensor(batch: &Batch) -> Tensor<4> {
    let data = TensorData::new(batch.values.clone(), batch.shape);
    Tensor::from_data(data, &Device::flex())
}

/// Accuracy of a linear read-out of every layer on the embedded scenes, from a hundred labels a class.
///
/// # Errors
///
/// If a read-out does not converge.
pub fn accuracies(stack: &Stack, pipeline: &ImagePipeline) -> Result<String, Error> {
    let features = |part| -> Result<Vec<Features>, Error> {
        let settings = LoaderConfig { batch_size: 1000, ..LoaderConfig::evaluation() };
        let scenes = Loader::new(synthetic::scenes(2, part, 1000)?, pipeline.clone(), settings)?;
        let batch = scenes.epoch(0)?.next().expect("a thousand scenes are a batch")?;
        let labels: Vec<u32> = batch.labels.iter().flatten().copied().collect();
        let layers = stack.features(tensor(&batch)).into_iter();
        layers.map(|layer| Ok(Features::new(rows(layer), labels.clone())?)).collect()
    };
    let [fit, test] = [features(synthetic::Part::Train)?, features(synthetic::Part::Test)?];
    let read = |(fit, test)| Ok(probe::accuracy(&StandardisedProbe::default(), fit, test, 2)?);
    let layers = fit.iter().zip(&test).map(read).collect::<Result<Vec<f64>, Error>>()?;
    Ok(layers.iter().map(|layer| format!("{layer:6.1}")).collect())
}
