//! What the units of an encoder of moving pictures respond to.

use clapp_datasets::{Source as _, video::Frame};
use clapp_eval::figure::{Picture, Row};

use super::{Encoder, Video, data::centred};
use crate::Error;

/// Pixels of the longer side of the frames that are shown, at most.
const SIDE: usize = 48;

/// Activity in every block for some clips of a run's data.
pub type Look = crate::Look<Video>;

impl Look {
    /// For `units` of each block, evenly spaced among those whose activity differs between clips, the `best` clips
    /// with the largest mean activity, the largest first, each as a strip of `frames` frames, evenly spaced among those
    /// that the encoder saw. The encoder is the one that looked.
    ///
    /// # Errors
    ///
    /// If a clip cannot be read.
    ///
    /// # Example
    ///
    /// A run of a second, in a folder that is then removed:
    ///
    /// ```
    /// use clapp::{Run, Video, device, eval::figure, preset, run::Silent, video::{Encoder, Look}};
    /// let folder = tempfile::tempdir()?;
    /// let mut config = preset("smoke", "clapp-s-still", &Video::MovingScenes, &[2])?;
    /// (config.setup.clips, config.setup.readout.protocols) = (4, vec![clapp::eval::Protocol::Knn]);
    /// let mut run = Run::create(folder.path(), config)?;
    /// run.execute(&device("flex")?, &mut Silent)?;
    /// let encoder = Encoder::load(run.path(), &device("flex")?)?;
    /// let look = Look::at(&encoder, 6, &mut |_, _| ())?;
    /// let strips = look.preferred(&encoder, 1, 2, 4)?;
    /// assert_eq!(strips.len(), 5); // a row for a unit of each block
    /// assert!(figure::pictures("Preferred clips", &look.name, &strips, 2).starts_with("<svg"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn preferred(
        &self,
        encoder: &Encoder,
        units: usize,
        best: usize,
        frames: usize,
    ) -> Result<Vec<Row>, Error> {
        let sampling = centred(&encoder.config().setup.readout.sampling);
        self.rows(units, best, &|clip| {
            let seen = sampling.frames(self.source.info(clip).frames, 0, 0, clip as u64);
            let spaced = |place: usize| seen[place * (seen.len() - 1) / (frames - 1).max(1)];
            let shown: Vec<usize> = (0..frames).map(spaced).collect();
            let mut pictures = Vec::new();
            self.source.read(clip, (&shown, &mut |_, frame| pictures.push(picture(frame))))?;
            Ok(Picture::strip(&pictures))
        })
    }
}

fn picture(frame: &Frame) -> Picture {
    let ([height, width], planes, pixels) = (frame.dims(), frame.planes(), frame.pixels());
    let of_plane =
        |place: usize| pixels[place % (height * width) * planes + place / (height * width)];
    let whole = Picture::of_planes(planes, [width, height], of_plane);
    whole.shrunk(width.max(height).div_ceil(SIDE))
}
