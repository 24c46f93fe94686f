//! Random hierarchies: one class a string, nothing in single tokens, no string in two parts.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::collections::HashSet;

use clapp_datasets::Source;
use clapp_datasets::hierarchy::{Config, Drawing, Grammar, Hierarchies, Part};
use clapp_random::{Purpose, stream};

const PARTS: [Part; 3] = [Part::Unlabelled, Part::Train, Part::Test];

fn grammar(config: Config) -> Grammar {
    Grammar::new(2, config).unwrap()
}

/// The third has every tuple as a production.
fn sizes() -> [Config; 3] {
    [
        Config::default(),
        Config { depth: 4, branching: 2, symbols: 6, synonyms: 3 },
        Config { depth: 2, branching: 3, symbols: 4, synonyms: 16 },
    ]
}

fn images(synonyms: usize, part: Part, count: usize) -> Hierarchies {
    let grammar = grammar(Config { synonyms, ..Config::default() });
    Hierarchies::new(grammar, part, count, Drawing::Patterns).unwrap()
}

#[test]
fn all_productions_of_a_level_differ() {
    for config @ Config { depth, symbols, synonyms, .. } in sizes() {
        let grammar = grammar(config);
        for level in 0..depth {
            let of = |symbol| (0..synonyms).map(move |synonym| (symbol, synonym));
            let all: HashSet<&[u8]> = (0..symbols as u8)
                .flat_map(of)
                .map(|(symbol, synonym)| grammar.production(level, symbol, synonym))
                .collect();
            assert_eq!(all.len(), symbols * synonyms, "{config:?}");
        }
    }
}

#[test]
fn a_string_has_the_class_that_it_was_drawn_from() {
    for config in sizes() {
        let grammar = grammar(config);
        let mut random = stream(2, Purpose::Test, [0; 4]);
        for class in (0..config.symbols as u8).cycle().take(200) {
            let string = grammar.draw(class, &mut random);
            assert_eq!(string.len(), config.tokens());
            assert_eq!(grammar.class(&string), Some(class));
        }
    }
}

#[test]
fn what_the_grammar_does_not_make_has_no_class() {
    // 64 of 4096 tuples are productions of each level: 16 random ones are all such by 64⁻¹⁶.
    let (grammar, mut random) = (grammar(Config::default()), stream(2, Purpose::Test, [1; 4]));
    let string: Vec<u8> = (0..64).map(|_| rand::RngExt::random_range(&mut random, 0..8)).collect();
    assert_eq!(grammar.class(&string), None);
    assert_eq!(grammar.class(&string[..63]), None);
}

#[test]
fn classes_are_balanced_and_labels_are_classes() {
    let images = images(8, Part::Train, 80);
    for index in 0..80 {
        let class = (index % 8) as u8;
        assert_eq!(images.info(index).label, Some(u32::from(class)));
        assert_eq!(images.grammar().class(&images.string(index)), Some(class));
    }
    assert_eq!(images.classes(), 8);
}

/// The share of test strings whose class the best read-out of single tokens finds.
///
/// It knows the probability of every token at every place in every class, and takes places as
/// independent.
fn right_by_tokens(synonyms: usize) -> f64 {
    let images = images(synonyms, Part::Test, 4000);
    let shares: Vec<_> = (0..8).map(|class| images.grammar().token_shares(class)).collect();
    let score = |class: usize, string: &[u8]| -> f64 {
        let places = string.iter().zip(&shares[class]);
        places.map(|(token, shares)| shares[usize::from(*token)].ln()).sum()
    };
    let best = |string: &[u8]| {
        (0..8).max_by(|&a, &b| score(a, string).total_cmp(&score(b, string))).unwrap()
    };
    let right = (0..4000).filter(|&index| best(&images.string(index)) == index % 8).count();
    right as f64 / 4000.0
}

#[test]
fn single_tokens_say_less_the_more_synonyms_there_are() {
    // Chance is 0.125, with a deviation of 0.005 in 4000 strings.
    assert!(right_by_tokens(2) > 0.99);
    assert!((0.29..0.36).contains(&right_by_tokens(8)));
    assert!((0.12..0.16).contains(&right_by_tokens(64)));
}

#[test]
fn single_tokens_are_at_chance_where_every_tuple_is_a_production() {
    let right = right_by_tokens(512);
    assert!((0.105..0.145).contains(&right), "expected 0.125 within 4 deviations, got {right}");
}

#[test]
fn parts_share_no_string_though_each_repeats_some() {
    // 128 strings a class: 2000 draws are nearly all of them.
    let config = Config { depth: 2, branching: 4, symbols: 3, synonyms: 3 };
    let strings = PARTS.map(|part| -> HashSet<Vec<u8>> {
        let images = Hierarchies::new(grammar(config), part, 2000, Drawing::OneHot).unwrap();
        (0..2000).map(|index| images.string(index)).collect()
    });
    let all: usize = strings.iter().map(HashSet::len).sum();
    assert!(strings.iter().all(|part| part.len() < 500), "parts repeat strings");
    assert_eq!(strings.into_iter().flatten().collect::<HashSet<_>>().len(), all);
    // 3 classes of 3⁵ strings, all of which 6000 draws find but for some.
    assert!((700..=729).contains(&all), "{all}");
}

fn bytes(images: &Hierarchies, index: usize) -> Vec<u8> {
    let mut bytes = vec![0; images.info(index).bytes()];
    images.read(index, &mut bytes).unwrap();
    bytes
}

#[test]
fn an_image_depends_on_its_own_index_part_and_seed_only() {
    let (few, many) = (images(8, Part::Train, 5), images(8, Part::Train, 9));
    assert_eq!(bytes(&few, 4), bytes(&many, 4));
    assert_ne!(bytes(&few, 4), bytes(&images(8, Part::Test, 5), 4));
    let other = Grammar::new(3, Config::default()).unwrap();
    let other = Hierarchies::new(other, Part::Train, 5, Drawing::Patterns).unwrap();
    assert_ne!(bytes(&few, 4), bytes(&other, 4));
}

#[test]
fn every_token_stands_in_the_quarter_of_its_parent() {
    let (patterns, one_hot) = (images(8, Part::Train, 3), images(8, Part::Train, 3));
    let one_hot =
        Hierarchies::new(one_hot.grammar().clone(), Part::Train, 3, Drawing::OneHot).unwrap();
    let string = one_hot.string(2);
    let (hot, drawn) = (bytes(&one_hot, 2), bytes(&patterns, 2));
    assert_eq!([one_hot.info(2).dims, patterns.info(2).dims], [[8, 8, 8], [3, 32, 32]]);
    let mut pictures = std::collections::HashMap::new();
    // The first half of a row of four quarters of four quarters of four.
    for (place, row, column) in
        [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 1, 1), (4, 0, 2), (8, 2, 0), (17, 0, 5), (63, 7, 7)]
    {
        let token = usize::from(string[place]);
        for symbol in 0..8 {
            let expected = if symbol == token { 255 } else { 0 };
            assert_eq!(hot[(symbol * 8 + row) * 8 + column], expected);
        }
        let cell: Vec<u8> =
            (0..16).map(|i| drawn[(4 * row + i / 4) * 32 + 4 * column + i % 4]).collect();
        assert_eq!(&cell, pictures.entry(token).or_insert_with(|| cell.clone()));
        assert_eq!(cell.iter().filter(|byte| **byte == 188).count(), 8, "equally bright");
    }
    let distinct: HashSet<&Vec<u8>> = pictures.values().collect();
    assert_eq!(distinct.len(), pictures.len());
    assert_eq!(drawn[..32 * 32], drawn[2 * 32 * 32..]);
}

#[test]
fn senseless_settings_are_refused() {
    let config = Config::default();
    for (config, expected) in [
        (
            Config { depth: 0, ..config },
            "depth and branching: expected 1 or more levels of 2 or more symbols, 4096 tokens at most, got 0 levels of 4",
        ),
        (
            Config { depth: 7, ..config },
            "depth and branching: expected 1 or more levels of 2 or more symbols, 4096 tokens at most, got 7 levels of 4",
        ),
        (Config { symbols: 1, ..config }, "symbols: expected a number in 2..=255, got 1"),
        (Config { synonyms: 513, ..config }, "synonyms: expected "),
        (Config { synonyms: 1, ..config }, "synonyms: expected "),
    ] {
        let error = Grammar::new(2, config).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let strings = grammar(Config { depth: 3, branching: 3, symbols: 16, synonyms: 4 });
    let error = Hierarchies::new(strings, Part::Train, 1, Drawing::OneHot).unwrap_err();
    assert!(error.to_string().starts_with("branching: expected 4 for images, got 3"));
    let strings = grammar(Config { symbols: 16, ..Config::default() });
    let error = Hierarchies::new(strings, Part::Train, 1, Drawing::Patterns).unwrap_err();
    assert!(error.to_string().starts_with("symbols: expected at most 15 for patterns, got 16"));
}

#[test]
fn strings_are_frozen() {
    // A change here changes every number learnt from these strings: value-breaking.
    let string = images(8, Part::Test, 1).string(0);
    assert_eq!(string[..8], [4, 0, 7, 0, 2, 5, 2, 2]);
}
