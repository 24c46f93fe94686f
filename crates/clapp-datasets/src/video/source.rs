//! What a set of clips is to the rest of the workspace.

use std::sync::Arc;

use crate::Error;
use crate::video::Frame;

/// Clips whose frames can be read in any order, from any thread.
///
/// Unlike images, clips differ in length and size, and one of them may fill a memory: frames are
/// handed over one at a time. Implementers are [`PreparedClips`](super::PreparedClips), which reads
/// files, and [`MovingScenes`](super::moving::MovingScenes), which draws; a
/// [`ClipList`](super::ClipList) is deliberately none, since it has opened nothing.
pub trait ClipSource: Send + Sync {
    /// The number of clips.
    fn len(&self) -> usize;

    /// The number of frames of a clip.
    ///
    /// # Panics
    /// `clip` is not below [`len`](Self::len).
    fn frames(&self, clip: usize) -> usize;

    /// Rows and columns of a clip's frames.
    ///
    /// # Panics
    /// `clip` is not below [`len`](Self::len).
    fn dims(&self, clip: usize) -> [usize; 2];

    /// Hands over the frames of `clip` that `frames` lists, in that order, with their place in it.
    ///
    /// # Errors
    /// The storage fails on a clip that exists.
    ///
    /// # Panics
    /// `clip` or a frame does not exist.
    fn read(
        &self,
        clip: usize,
        frames: &[usize],
        each: &mut dyn FnMut(usize, &mut Frame),
    ) -> Result<(), Error>;

    /// The class of a clip, counted from 0; `None` if it has none.
    ///
    /// # Panics
    /// `clip` is not below [`len`](Self::len).
    fn label(&self, clip: usize) -> Option<u8>;

    /// A short name for messages and logs, such as `ucf101/train1`.
    fn name(&self) -> &str;

    /// The number of classes that labels count; 0 without labels.
    fn classes(&self) -> usize;

    /// True if there is no clip.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

macro_rules! delegate {
    ($($pointer:ty),*) => {$(
        impl<S: ClipSource + ?Sized> ClipSource for $pointer {
            fn len(&self) -> usize {
                (**self).len()
            }
            fn frames(&self, clip: usize) -> usize {
                (**self).frames(clip)
            }
            fn dims(&self, clip: usize) -> [usize; 2] {
                (**self).dims(clip)
            }
            fn read(
                &self,
                clip: usize,
                frames: &[usize],
                each: &mut dyn FnMut(usize, &mut Frame),
            ) -> Result<(), Error> {
                (**self).read(clip, frames, each)
            }
            fn label(&self, clip: usize) -> Option<u8> {
                (**self).label(clip)
            }
            fn name(&self) -> &str {
                (**self).name()
            }
            fn classes(&self) -> usize {
                (**self).classes()
            }
        }
    )*};
}
delegate!(&S, Box<S>, Arc<S>);
