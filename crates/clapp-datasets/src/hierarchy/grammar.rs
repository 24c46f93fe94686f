//! A random grammar without ambiguity, and its strings.

use std::collections::HashMap;

use clapp_random::{Purpose, Stream, stream};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::PRODUCTIONS;
use crate::Error;

/// The size of a grammar.
///
/// | name | symbol | default | purpose | range |
/// |---|---|---|---|---|
/// | `depth` | L | 3 | levels of productions | ≥ 1 |
/// | `branching` | s | 4 | symbols that a production has | ≥ 2; strings of at most 4,096 tokens |
/// | `symbols` | v | 8 | symbols of each level; the root's are the classes | 2..=255 |
/// | `synonyms` | m | 8 | productions of each symbol | ≥ 1, with v·m ≤ vˢ and at least 128 strings a class |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Levels of productions, L.
    pub depth: usize,
    /// Symbols that a production has, s.
    pub branching: usize,
    /// Symbols of each level, v.
    pub symbols: usize,
    /// Productions of each symbol, m.
    pub synonyms: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { depth: 3, branching: 4, symbols: 8, synonyms: 8 }
    }
}

/// Longest string, in tokens.
const LONGEST: usize = 4096;
/// Binary logarithm of the fewest strings of a class: with so many no part of them is empty.
const FEWEST: f64 = 7.0;

impl Config {
    /// Tokens of a string: sᴸ.
    #[must_use]
    pub fn tokens(&self) -> usize {
        u32::try_from(self.depth).map_or(usize::MAX, |depth| self.branching.saturating_pow(depth))
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Config`] if one is out of range.
    pub fn validate(&self) -> Result<(), Error> {
        let Self { depth, branching, symbols, synonyms } = *self;
        if depth == 0 || branching < 2 || self.tokens() > LONGEST {
            let expected =
                format!("1 or more levels of 2 or more symbols, {LONGEST} tokens at most");
            return Err(Error::setting("depth and branching", &expected, self.levels()));
        }
        if !(2..=255).contains(&symbols) {
            return Err(Error::setting("symbols", "a number in 2..=255", symbols));
        }
        let tuples = (symbols as f64).powi(branching as i32);
        // A symbol above the tokens is replaced by one of m, and there are 1 + s + … + s^(L−1) of them.
        let replaced = (self.tokens() - 1) / (branching - 1);
        let bits = (synonyms as f64).log2() * replaced as f64;
        if synonyms as f64 * symbols as f64 > tuples || bits < FEWEST {
            let most = tuples / symbols as f64;
            let expected = format!("at most {most} and at least {FEWEST} bits of strings a class");
            return Err(Error::setting("synonyms", &expected, synonyms));
        }
        Ok(())
    }

    fn levels(&self) -> String {
        format!("{} levels of {}", self.depth, self.branching)
    }
}

/// A random grammar in which no two symbols of a level share a production.
///
/// # Example
///
/// ```
/// use clapp_datasets::hierarchy::{Config, Grammar};
/// use clapp_random::{Purpose, stream};
///
/// let grammar = Grammar::new(2, Config { depth: 2, branching: 3, symbols: 5, synonyms: 4 })?;
/// let string = grammar.draw(3, &mut stream(2, Purpose::Test, [0; 4]));
/// assert_eq!((string.len(), grammar.class(&string)), (9, Some(3)));
/// assert_eq!(grammar.production(0, 3, 1).len(), 3);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Grammar {
    seed: u64,
    config: Config,
    /// By level: `[symbol, synonym, place]`, flat.
    productions: Vec<Vec<u8>>,
    /// By level: the symbol that a production stands for.
    parents: Vec<HashMap<Vec<u8>, u8>>,
}

impl Grammar {
    /// Draws a grammar.
    ///
    /// # Errors
    /// [`Config::validate`] refuses the settings.
    pub fn new(seed: u64, config: Config) -> Result<Self, Error> {
        config.validate()?;
        let Config { depth, branching, symbols, synonyms } = config;
        let (mut productions, mut parents) = (Vec::new(), Vec::new());
        for level in 0..depth as u64 {
            let mut random = stream(seed, Purpose::Synthesis, [level, 0, PRODUCTIONS, 0]);
            let (mut flat, mut known) = (Vec::new(), HashMap::new());
            // Symbols in turn, so that late draws, of what is left, are shared by all.
            while known.len() < symbols * synonyms {
                let tuple: Vec<u8> =
                    (0..branching).map(|_| random.random_range(0..symbols as u64) as u8).collect();
                if !known.contains_key(&tuple) {
                    let symbol = (known.len() % symbols) as u8;
                    flat.push(tuple.clone());
                    known.insert(tuple, symbol);
                }
            }
            let of = |symbol| flat.iter().skip(symbol).step_by(symbols).flatten().copied();
            productions.push((0..symbols).flat_map(of).collect());
            parents.push(known);
        }
        Ok(Self { seed, config, productions, parents })
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> Config {
        self.config
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What a symbol of `level`, from the root, is replaced by in its `synonym`.
    ///
    /// # Panics
    /// There is no such level, symbol or synonym.
    #[must_use]
    pub fn production(&self, level: usize, symbol: u8, synonym: usize) -> &[u8] {
        let Config { branching, symbols, synonyms, .. } = self.config;
        let symbol = usize::from(symbol);
        assert!(symbol < symbols, "grammar: expected a symbol below {symbols}, got {symbol}");
        assert!(synonym < synonyms, "grammar: expected a synonym below {synonyms}, got {synonym}");
        let place = symbol * synonyms + synonym;
        &self.productions[level][place * branching..][..branching]
    }

    /// Draws a string of a class: tokens from 0 to v − 1.
    ///
    /// # Panics
    /// There is no such class.
    #[must_use]
    pub fn draw(&self, class: u8, random: &mut Stream) -> Vec<u8> {
        let mut string = vec![class];
        for level in 0..self.config.depth {
            let mut synonym = || random.random_range(0..self.config.synonyms as u64) as usize;
            let replaced = |symbol: &u8| self.production(level, *symbol, synonym()).to_vec();
            string = string.iter().flat_map(replaced).collect();
        }
        string
    }

    /// The class of a string; `None` if the grammar has no such string.
    #[must_use]
    pub fn class(&self, string: &[u8]) -> Option<u8> {
        let mut string = string.to_vec();
        for parents in self.parents.iter().rev() {
            let tuples = string.chunks(self.config.branching);
            string = tuples.map(|tuple| parents.get(tuple).copied()).collect::<Option<_>>()?;
        }
        let [class] = string[..] else { return None };
        Some(class)
    }

    /// The probability of every token at every place of a string of `class`: `[place][token]`.
    ///
    /// # Panics
    /// There is no such class.
    #[must_use]
    pub fn token_shares(&self, class: u8) -> Vec<Vec<f64>> {
        let Config { branching, symbols, synonyms, .. } = self.config;
        let mut shares = vec![vec![0.0; symbols]];
        shares[0][usize::from(class)] = 1.0;
        for level in 0..self.config.depth {
            let mut below = vec![vec![0.0; symbols]; branching * shares.len()];
            for (parent, shares) in shares.iter().enumerate() {
                for (symbol, synonym) in
                    (0..symbols).flat_map(|symbol| (0..synonyms).map(move |n| (symbol, n)))
                {
                    let tuple = self.production(level, symbol as u8, synonym);
                    for (place, token) in tuple.iter().enumerate() {
                        below[parent * branching + place][usize::from(*token)] +=
                            shares[symbol] / synonyms as f64;
                    }
                }
            }
            shares = below;
        }
        shares
    }
}

/// A string as `[symbol, place]`: 1 where the symbol stands at the place, else 0.
///
/// # Panics
/// A token is not below `symbols`.
///
/// # Example
///
/// ```
/// use clapp_datasets::hierarchy::one_hot;
/// assert_eq!(one_hot(&[1, 0, 1], 2), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
/// ```
#[must_use]
pub fn one_hot(string: &[u8], symbols: usize) -> Vec<f32> {
    let mut values = vec![0.0; symbols * string.len()];
    for (place, token) in string.iter().enumerate() {
        values[usize::from(*token) * string.len() + place] = 1.0;
    }
    values
}
