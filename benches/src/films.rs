//! The workloads on films.

use std::hint::black_box;

use burn::tensor::Device;
use clapp_benches::{Clips, Error, FilmSetting, FilmTraining, measure};

use crate::{
    Options,
    report::{Report, Speed},
};

fn setting(options: &Options) -> FilmSetting {
    let &Options { width, batch, frames, crop, seed, .. } = options;
    FilmSetting { width, batch, frames, size: crop, seed }
}

/// A step of every block.
pub fn train(options: &Options, device: &Device, report: &mut Report) -> Result<(), Error> {
    let setting = setting(options);
    let mut training = FilmTraining::new(&setting, device)?;
    let timing = measure(
        options.repeats(),
        |step| setting.clips(step, device),
        |clips| drop(black_box(training.step(clips))),
    );
    report.speed = Some(Speed::new(timing, setting.batch));
    Ok(())
}

/// An epoch of clips.
pub fn load(options: &Options, report: &mut Report) -> Result<(), Error> {
    let videos = options.data.as_deref().ok_or(Error::NoVideos)?;
    let clips = Clips::new(videos, &setting(options))?;
    let mut result = Ok(0);
    let timing = measure(
        options.repeats(),
        |epoch| epoch,
        |epoch| {
            if result.is_ok() {
                result = clips.epoch(epoch);
            }
        },
    );
    result?;
    report.speed = Some(Speed::new(timing, clips.count()));
    Ok(())
}
