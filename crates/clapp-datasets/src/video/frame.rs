//! One picture of a video.

/// A picture of a video: the values of a pixel side by side, row by row. In colour they are red, green
/// and blue; an event camera has two, one a polarity; any other number will do.
///
/// Interleaved, unlike an [`Image`](crate::Image): decoders deliver pixels, and every change of colour
/// needs all values of one.
///
/// # Example
///
/// ```
/// use clapp_datasets::video::Frame;
///
/// let frame = Frame::new([1, 2], vec![255, 0, 0, 0, 0, 255]);
/// assert_eq!((frame.planes(), frame.pixel(0, 1)), (3, &[0, 0, 255][..]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    pub(super) dims: [usize; 2],
    pub(super) planes: usize,
    pixels: Vec<u8>, // [row, column, plane]
}

impl Frame {
    /// A frame of `dims` = `[rows, columns]`, of as many planes as there are bytes a pixel.
    ///
    /// # Panics
    /// `pixels` does not hold a whole number of planes.
    #[must_use]
    pub fn new(dims: [usize; 2], pixels: Vec<u8>) -> Self {
        let ([height, width], got) = (dims, pixels.len());
        let plane = height * width;
        assert!(
            got > 0 && got.is_multiple_of(plane),
            "frame: expected a multiple of {plane} bytes for {height}×{width}, got {got}"
        );
        Self { dims, planes: got / plane, pixels }
    }

    /// Rows and columns.
    #[must_use]
    pub fn dims(&self) -> [usize; 2] {
        self.dims
    }

    /// Values of a pixel.
    #[must_use]
    pub fn planes(&self) -> usize {
        self.planes
    }

    /// All bytes, `[row, column, plane]`.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All bytes, to be changed.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// All values of a pixel.
    ///
    /// # Panics
    /// The pixel lies outside.
    #[must_use]
    pub fn pixel(&self, row: usize, column: usize) -> &[u8] {
        &self.row(row)[self.planes * column..][..self.planes]
    }

    /// Takes another size and keeps the memory; what the pixels then hold has no meaning.
    pub(crate) fn reshape(&mut self, dims: [usize; 2], planes: usize) -> &mut [u8] {
        (self.dims, self.planes) = (dims, planes);
        self.pixels.resize(planes * dims[0] * dims[1], 0);
        &mut self.pixels
    }

    /// One row as pixels.
    pub(crate) fn row(&self, row: usize) -> &[u8] {
        let length = self.planes * self.dims[1];
        &self.pixels[length * row..][..length]
    }
}
