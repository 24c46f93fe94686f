//! One picture of a video.

/// A picture of a video: red, green and blue of a pixel side by side, row by row.
///
/// Interleaved, unlike the images of [`ImageSource`](crate::ImageSource): decoders deliver pixels, and
/// every change of colour needs all three values of one.
///
/// # Example
///
/// ```
/// use clapp_datasets::video::Frame;
///
/// let frame = Frame::new([1, 2], vec![255, 0, 0, 0, 0, 255]);
/// assert_eq!(frame.pixel(0, 1), [0, 0, 255]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    dims: [usize; 2],
    pixels: Vec<u8>, // [row, column, colour]
}

impl Frame {
    /// A frame of `dims` = `[rows, columns]`.
    ///
    /// # Panics
    /// `pixels` does not hold 3 bytes a pixel.
    #[must_use]
    pub fn new(dims: [usize; 2], pixels: Vec<u8>) -> Self {
        let ([height, width], got) = (dims, pixels.len());
        let expected = 3 * height * width;
        assert!(
            got == expected,
            "frame: expected {expected} bytes for {height}×{width}, got {got}"
        );
        Self { dims, pixels }
    }

    /// Rows and columns.
    #[must_use]
    pub fn dims(&self) -> [usize; 2] {
        self.dims
    }

    /// All bytes, `[row, column, colour]`.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All bytes, to be changed.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Red, green and blue.
    ///
    /// # Panics
    /// The pixel lies outside.
    #[must_use]
    pub fn pixel(&self, row: usize, column: usize) -> [u8; 3] {
        let start = 3 * (row * self.dims[1] + column);
        [self.pixels[start], self.pixels[start + 1], self.pixels[start + 2]]
    }

    /// Takes another size and keeps the memory; what the pixels then hold has no meaning.
    pub(crate) fn reshape(&mut self, dims: [usize; 2]) -> &mut [u8] {
        self.dims = dims;
        self.pixels.resize(3 * dims[0] * dims[1], 0);
        &mut self.pixels
    }

    /// One row as pixels.
    pub(crate) fn row(&self, row: usize) -> &[u8] {
        &self.pixels[3 * row * self.dims[1]..][..3 * self.dims[1]]
    }
}
