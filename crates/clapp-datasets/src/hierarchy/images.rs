//! Strings of a grammar as images: every token a small square, in the order of a tree of quarters.

use clapp_random::{Purpose, stream};
use sha2::{Digest, Sha256};

use super::{Grammar, Part, STRINGS};
use crate::source::{Item, Source, assert_index};
use crate::{Error, Image, ImageInfo};

/// How a token is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drawing {
    /// A pattern of 4×4 pixels, the same in three colours: 2·4ᴸ pixels of two gray levels.
    ///
    /// ```text
    /// w_a(y, x) = 127.5 ± 60.5,   + where a + 1 and 4y + x have an even number of binary ones in common
    /// ```
    /// The patterns of Walsh: each is orthogonal to all others and to a constant, so tokens are equally
    /// bright and equally far apart. Up to 15 symbols.
    Patterns,
    /// One pixel a token and one plane a symbol, 255 in the plane of the token and 0 in the others.
    OneHot,
}

/// Side of a pattern in pixels.
const CELL: usize = 4;
/// The gray levels of a pattern.
const LEVELS: [u8; 2] = [188, 67];
/// Patterns beside the constant one.
const PATTERNS: usize = CELL * CELL - 1;

/// Images of strings of a grammar with branching 4, classes in turn.
///
/// The four symbols of a production take the four quarters of their parent's square, row by row; so
/// 2ᴸ×2ᴸ tokens make an image. Image `i` depends on the grammar's seed, the part and `i` alone and is
/// drawn when it is read.
#[derive(Clone, Debug)]
pub struct Hierarchies {
    grammar: Grammar,
    part: Part,
    count: usize,
    drawing: Drawing,
}

impl Hierarchies {
    /// The first `count` images of a part.
    ///
    /// # Errors
    /// [`Error::Config`] if the branching is not 4, or there are more symbols than patterns.
    pub fn new(
        grammar: Grammar,
        part: Part,
        count: usize,
        drawing: Drawing,
    ) -> Result<Self, Error> {
        let config = grammar.config();
        if config.branching != 4 {
            return Err(Error::setting("branching", "4 for images", config.branching));
        }
        if drawing == Drawing::Patterns && config.symbols > PATTERNS {
            let expected = format!("at most {PATTERNS} for patterns");
            return Err(Error::setting("symbols", &expected, config.symbols));
        }
        Ok(Self { grammar, part, count, drawing })
    }

    /// The grammar.
    #[must_use]
    pub fn grammar(&self) -> &Grammar {
        &self.grammar
    }

    fn class(&self, index: usize) -> u8 {
        (index % self.grammar.config().symbols) as u8
    }

    /// The string of image `index`.
    ///
    /// Strings of its class are drawn until one belongs to the part: half of all strings to the part
    /// without labels, a quarter to each other, by their SHA-256. So no string is in two parts.
    ///
    /// # Panics
    /// There is no such image.
    #[must_use]
    pub fn string(&self, index: usize) -> Vec<u8> {
        assert_index(self, index);
        let address = [self.part as u64, index as u64, STRINGS, 0];
        let mut random = stream(self.grammar.seed(), Purpose::Synthesis, address);
        loop {
            let string = self.grammar.draw(self.class(index), &mut random);
            let part = match Sha256::digest(&string)[0] % 4 {
                0 | 1 => Part::Unlabelled,
                2 => Part::Train,
                _ => Part::Test,
            };
            if part == self.part {
                return string;
            }
        }
    }
}

impl Source for Hierarchies {
    type Item = Image;

    fn len(&self) -> usize {
        self.count
    }

    fn info(&self, index: usize) -> ImageInfo {
        assert_index(self, index);
        let (config, label) = (self.grammar.config(), Some(u32::from(self.class(index))));
        let side = 1 << config.depth;
        let dims = match self.drawing {
            Drawing::Patterns => [3, CELL * side, CELL * side],
            Drawing::OneHot => [config.symbols, side, side],
        };
        ImageInfo { dims, label }
    }

    fn read(&self, index: usize, into: &mut [u8]) -> Result<(), Error> {
        Image::assert_part(self, index, &into);
        let (string, side) = (self.string(index), 1 << self.grammar.config().depth);
        match self.drawing {
            Drawing::Patterns => {
                let plane = string.len() * CELL * CELL;
                draw(&string, side, &mut into[..plane]);
                for colour in 1..3 {
                    into.copy_within(..plane, colour * plane);
                }
            }
            Drawing::OneHot => {
                into.fill(0);
                for (place, token) in string.iter().enumerate() {
                    let [y, x] = corner(place);
                    into[(usize::from(*token) * side + y) * side + x] = 255;
                }
            }
        }
        Ok(())
    }

    fn name(&self) -> &str {
        "hierarchies"
    }

    fn classes(&self) -> usize {
        self.grammar.config().symbols
    }
}

/// Row and column of a token: the digits of its place to base 4 name quarters, the largest first.
fn corner(place: usize) -> [usize; 2] {
    let bit = |from: usize, level: usize| (place >> (2 * level + from) & 1) << level;
    let levels = usize::BITS as usize / 2;
    [1, 0].map(|from| (0..levels).map(|level| bit(from, level)).sum())
}

/// Draws the pattern of every token into one plane.
fn draw(string: &[u8], side: usize, plane: &mut [u8]) {
    for (place, token) in string.iter().enumerate() {
        let [top, left] = corner(place).map(|side| CELL * side);
        for pixel in 0..CELL * CELL {
            let (y, x) = (top + pixel / CELL, left + pixel % CELL);
            let odd = (pixel & (usize::from(*token) + 1)).count_ones() % 2;
            plane[y * CELL * side + x] = LEVELS[odd as usize];
        }
    }
}
