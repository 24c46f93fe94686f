//! Labels of a folder of images: from its folders, or from a list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Part;
use crate::Error;
use crate::files::read_text;

/// The list of labels.
pub(super) const FILE: &str = "labels.csv";

/// What a name or a list says of each image.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// Label and part of every image.
    pub(super) of_images: Vec<(Option<u32>, Option<Part>)>,
    /// Names of the classes, in alphabetical order; none without labels.
    pub(super) classes: Vec<String>,
    /// Why there are no labels.
    pub(super) why_none: Option<&'static str>,
}

/// The class and the part of an image, as far as something says them.
type Found = (Option<String>, Option<Part>);

impl Labels {
    pub(super) fn of(root: &Path, names: &[String]) -> Result<Self, Error> {
        let list = root.join(FILE);
        if list.is_file() {
            let why = "labels.csv names a single class, which needs another to be told from";
            return Ok(Self::new(listed(&list, names)?, why));
        }
        let mut found = by_folder(names);
        if found.iter().all(|(class, _)| class.is_some()) {
            let why = "all images are of one class, which needs another to be told from";
            return Ok(Self::new(found, why));
        }
        found.iter_mut().for_each(|(class, _)| *class = None);
        Ok(Self::new(found, "not all images lie in folders of classes, and there is no labels.csv"))
    }

    /// Numbers the classes, of which there have to be two.
    fn new(found: Vec<Found>, why: &'static str) -> Self {
        let classes: BTreeSet<String> =
            found.iter().filter_map(|(class, _)| class.clone()).collect();
        let enough = classes.len() > 1;
        let classes: Vec<String> = classes.into_iter().filter(|_| enough).collect();
        let number = |class| classes.binary_search(&class).ok().map(|number| number as u32);
        let of_images = found.into_iter().map(|(class, part)| (class.and_then(number), part));
        Self { of_images: of_images.collect(), classes, why_none: (!enough).then_some(why) }
    }
}

fn part(name: &str) -> Option<Part> {
    match name.to_lowercase().as_str() {
        "train" | "training" => Some(Part::Train),
        "validation" | "valid" | "val" => Some(Part::Validation),
        "test" | "testing" => Some(Part::Test),
        _ => None,
    }
}

/// By the folders that an image lies in: those of the parts, if these are there, and that of the class.
fn by_folder(names: &[String]) -> Vec<Found> {
    let first = |name: &String| name.split_once('/').and_then(|(first, _)| part(first));
    let parts: Vec<Option<Part>> = names.iter().map(first).collect();
    let divided = parts.iter().all(Option::is_some) && parts.iter().any(|part| *part != parts[0]);
    let found = |(name, part): (&String, Option<Part>)| {
        let inner = match divided {
            true => name.split_once('/').map_or("", |(_, inner)| inner),
            false => name,
        };
        let class = inner.split_once('/').map(|(class, _)| class.to_owned());
        (class, part.filter(|_| divided))
    };
    names.iter().zip(parts).map(found).collect()
}

/// By a list of lines `name,class` or `name,class,part`; a first line `name,…` is a heading.
fn listed(list: &Path, names: &[String]) -> Result<Vec<Found>, Error> {
    let text = read_text(list)?;
    let damaged = |expected: &str, got: String| {
        Error::damaged(FILE, expected, got, list.display(), "correct the list")
    };
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).trim(csv::Trim::All);
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for line in reader.from_reader(text.trim_start_matches('\u{feff}').as_bytes()).records() {
        let line = line.map_err(|source| damaged("lines name,class", source.to_string()))?;
        let at = line.position().map_or(0, csv::Position::line);
        let (name, class, named) = match (line.get(0), line.get(1), line.get(2)) {
            (Some("name"), ..) if at == 1 => continue,
            (Some(name), Some(class), named) if !class.is_empty() => (name, class, named),
            _ => return Err(damaged("a name and a class", format!("neither at line {at}"))),
        };
        let named = named.filter(|named| !named.is_empty());
        let part = named.map(|named| {
            part(named).ok_or_else(|| {
                damaged("train, validation or test", format!("{named:?} at line {at}"))
            })
        });
        let entry = (Some(class.to_owned()), part.transpose()?);
        if let Some(other) = found.insert(name.to_owned(), entry.clone())
            && other != entry
        {
            return Err(damaged("one class and part of a name", format!("two of {name:?}")));
        }
    }
    let of = |name: &String| found.remove(name).unwrap_or_default();
    let of_images = names.iter().map(of).collect();
    match found.keys().next() {
        None => Ok(of_images),
        Some(first) => {
            let got = format!("{} that are none, the first {first:?}", found.len());
            let advice = "correct the list, or add the files";
            Err(Error::missing(FILE, "names of images in the folder", got, list.display(), advice))
        }
    }
}
