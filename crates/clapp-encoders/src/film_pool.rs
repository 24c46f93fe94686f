//! Max-pool over the pixels of every frame.

use clapp_backend::FrameWindow;
use serde::{Deserialize, Serialize};

/// What follows the normalisation of a film layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilmPool {
    /// The map as it is.
    #[default]
    Nothing,
    /// Maximum over 3×3 pixels of a frame, stride 2: neighbouring windows overlap, frames stay apart.
    Max3,
}

impl FilmPool {
    /// Its windows.
    pub(crate) fn window(self) -> FrameWindow {
        match self {
            Self::Nothing => FrameWindow::PIXEL,
            Self::Max3 => FrameWindow { side: 3, stride: 2 },
        }
    }

    /// Side of a map after the pool; `None` if the map is smaller than a window.
    ///
    /// ```
    /// use clapp_encoders::FilmPool;
    /// let sides = [61, 14, 6, 2].map(|side| FilmPool::Max3.side(side));
    /// assert_eq!(sides, [Some(30), Some(6), Some(2), None]);
    /// assert_eq!(FilmPool::Nothing.side(2), Some(2));
    /// ```
    #[must_use]
    pub fn side(self, side: usize) -> Option<usize> {
        let FrameWindow { side: window, stride } = self.window();
        Some(side.checked_sub(window)? / stride + 1)
    }
}
