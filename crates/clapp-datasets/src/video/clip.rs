//! What a source of clips holds.

use crate::Error;
use crate::image::check_label;
use crate::source::{Item, Source, assert_index};
use crate::video::Frame;

/// A clip in memory: frames of one size.
///
/// Clips differ in length and size, and one of them may fill a memory: a source hands over the frames
/// that are wanted one at a time. Implementers are [`PreparedClips`](super::PreparedClips), which reads
/// files, and [`MovingScenes`](super::moving::MovingScenes), which draws; a
/// [`ClipList`](super::ClipList) is deliberately none, since it has opened nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// At least one frame.
    pub frames: Vec<Frame>,
    /// Its class, counted from 0; `None` if it has none.
    pub label: Option<u32>,
}

/// What is known of a clip before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipInfo {
    /// The number of frames.
    pub frames: usize,
    /// Rows, columns and planes of a frame.
    pub dims: [usize; 3],
    /// Its class, counted from 0; `None` if it has none.
    pub label: Option<u32>,
}

impl Item for Clip {
    type Info<'a> = ClipInfo;
    /// Frames by number, and what takes each of them, in that order, with its place among them.
    type Part<'a> = (&'a [usize], &'a mut dyn FnMut(usize, &mut Frame));
    type Label = u32;
    const PLURAL: &'static str = "clips";

    fn info(&self) -> ClipInfo {
        let Frame { dims: [rows, columns], planes, .. } = self.frames[0];
        ClipInfo { frames: self.frames.len(), dims: [rows, columns, planes], label: self.label }
    }

    fn class(info: &ClipInfo) -> Option<u32> {
        info.label
    }

    /// Frames, rows, columns.
    fn extent(info: &ClipInfo) -> Vec<usize> {
        vec![info.frames, info.dims[0], info.dims[1]]
    }

    fn copy(&self, (frames, each): (&[usize], &mut dyn FnMut(usize, &mut Frame))) {
        for (place, &frame) in frames.iter().enumerate() {
            each(place, &mut self.frames[frame].clone());
        }
    }

    fn whole(source: &dyn Source<Item = Self>, index: usize) -> Result<Self, Error> {
        let info = source.info(index);
        let (mut frames, all) = (Vec::new(), (0..info.frames).collect::<Vec<_>>());
        source.read(index, (&all, &mut |_, frame| frames.push(frame.clone())))?;
        Ok(Self { frames, label: info.label })
    }

    /// Two of its frames.
    fn sample(source: &dyn Source<Item = Self>, index: usize) -> Result<Vec<u8>, Error> {
        let ClipInfo { frames, label, .. } = source.info(index);
        let mut bytes = (frames as u64).to_le_bytes().to_vec();
        bytes.extend(label.map_or([0xff; 4], u32::to_le_bytes));
        source.read(index, (&[0, frames / 2], &mut |_, frame| bytes.extend(frame.pixels())))?;
        Ok(bytes)
    }

    fn assert_part(
        source: &dyn Source<Item = Self>,
        index: usize,
        (frames, _): &(&[usize], &mut dyn FnMut(usize, &mut Frame)),
    ) {
        assert_index(source, index);
        let (name, available) = (source.name(), source.info(index).frames);
        for frame in *frames {
            assert!(
                *frame < available,
                "{name}, clip {index}: expected a frame below {available}, got {frame}"
            );
        }
    }

    fn check(&mut self, classes: usize, place: &str, number: usize) -> Result<(), Error> {
        let what = format!("frames of clip {number}");
        let Some(first) = self.frames.first() else {
            return Err(Error::count(what, 1, 0, place));
        };
        let size = (first.dims, first.planes);
        let alike = self.frames.iter().filter(|frame| (frame.dims, frame.planes) == size).count();
        if alike < self.frames.len() {
            return Err(Error::count(
                format!("{what} of one size"),
                self.frames.len(),
                alike,
                place,
            ));
        }
        check_label(self.label, classes, place, number)
    }
}
