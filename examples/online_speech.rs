//! From a loss of 1 to about 0.15 in seconds: a network learns while it listens, frame by frame.
//!
//! Sixteen ears hear embedded talkers as spectra. Each ear follows a talker for a while (fixation) and then turns
//! to another (saccade). A convolution over time looks at 40 ms and predicts its next activity; a recurrent layer
//! predicts that activity from all it has heard. Weights change at every step, from what is present at the synapse.
//! Without telling talkers and sounds apart, the loss of a fifth of saccades cannot fall below 0.4.
//!
//! `cargo run --release --example online_speech`

use burn::tensor::{Device, Tensor, TensorData};
use clapp::datasets::sound::{Scaling, synthetic, whole_utterances};
use clapp::encoders::{Conv1dSpec, LocalGru, OnlineConv1d, OnlineGru, Recurrence};
use clapp::eval::sound::LogMel;
use clapp::random::{Purpose, Stream, stream};
use clapp::rules::{Feedback, Optimizer, Outcome, online::OnlineRule, online::Signals};
use clapp_examples::say;
use rand::RngExt;

const EARS: usize = 16;
const TALKERS: usize = 96;
const BANDS: usize = 20;
const CHANNELS: usize = 64;
const UNITS: usize = 32;
/// Frames that the convolution looks at, side by side.
const WINDOW: Conv1dSpec = Conv1dSpec { kernel: 4, stride: 4, padding: 0 };
/// Of the spectra.
const MEAN: f32 = 4.0;
const DEVIATION: f32 = 3.0;
const SACCADE: f64 = 0.2;
const STEPS: u32 = 4_000;
const SHOWN: u32 = 400;

/// Frames of every talker.
type Speech = Vec<Vec<Vec<f32>>>;

/// Listens on (fixation), or turns to some talker by chance or because this one has finished (saccade).
/// What an ear hears now is the first window of the rest.
fn attend<'a>(ear: &mut &'a [Vec<f32>], speech: &'a Speech, random: &mut Stream) -> Outcome {
    if ear.len() >= 2 * WINDOW.kernel && !random.random_bool(SACCADE) {
        *ear = &ear[WINDOW.kernel..];
        return Outcome::Fixation;
    }
    let talker = &speech[random.random_range(0..TALKERS)];
    *ear = &talker[random.random_range(0..talker.len() / 2)..];
    Outcome::Saccade
}

fn watch(sums: &mut [f64; 2], signals: &Signals) {
    let monitor = signals.monitor();
    sums[0] += monitor.loss / f64::from(SHOWN);
    sums[1] += monitor.open_gates / f64::from(SHOWN);
}

/// Spectra of all talkers, frame by frame, at about mean 0 and deviation 1.
fn spectra() -> Result<Speech, clapp::Error> {
    let source = synthetic::utterances(2, synthetic::Part::Unlabelled, TALKERS);
    let (mut speech, cochlea) = (Vec::new(), LogMel { bands: BANDS, ..LogMel::default() });
    for utterance in whole_utterances(source, Scaling::librispeech(), 1)? {
        let frames = (cochlea.features(&utterance?.values)? - MEAN) / DEVIATION;
        speech.push(frames.rows().into_iter().map(|row| row.to_vec()).collect());
    }
    Ok(speech)
}

fn main() -> Result<(), clapp::Error> {
    let (device, speech) = (Device::flex(), spectra()?);
    let [mut init, mut world] = [0, 1].map(|i| stream(2, Purpose::Initialisation, [i, 0, 0, 0]));
    let (feedback, optimizer) = (Feedback::PredRetroShared, Optimizer::Plain { rate: 0.03 });
    let mut conv = OnlineConv1d::init(BANDS, CHANNELS, WINDOW, feedback, &device, &mut init);
    let cell = LocalGru::init(CHANNELS, UNITS, Recurrence::EProp, &device, &mut init);
    let mut gru = OnlineGru::new(cell);
    let mut rule = OnlineRule::between(CHANNELS, UNITS, feedback, &device, &mut init);
    let (mut ears, mut sums) = (vec![&[][..]; EARS], [[0.0; 2]; 2]);
    say!("  step   convolution: loss  open gates   recurrent layer: loss  open gates");
    for step in 1..=STEPS {
        let turn = |ear: &mut _| attend(ear, &speech, &mut world);
        let outcomes: Vec<Outcome> = ears.iter_mut().map(turn).collect();
        for now in 0..WINDOW.kernel {
            let rows: Vec<f32> = ears.iter().flat_map(|ear| ear[now].clone()).collect();
            let frame = Tensor::from_data(TensorData::new(rows, [EARS, BANDS]), &device);
            let Some(heard) = conv.step(frame, &outcomes, &optimizer) else { continue };
            if let Some(update) = heard.update {
                watch(&mut sums[0], &update.signals);
            }
            if let Some(signals) = rule.compare(heard.activity.clone(), &outcomes) {
                watch(&mut sums[1], &signals);
                if let Some(update) = signals.before.clone().and_then(|told| gru.delta(told)) {
                    gru.cell.apply(update, &optimizer);
                }
                rule.learn(&signals, &optimizer);
            }
            rule.predict(gru.step(heard.activity));
        }
        if step.is_multiple_of(SHOWN) {
            let [[loss, gates], [gru_loss, gru_gates]] = std::mem::take(&mut sums);
            say!("{step:6} {loss:18.2} {gates:11.2} {gru_loss:23.2} {gru_gates:11.2}");
        }
    }
    Ok(())
}
