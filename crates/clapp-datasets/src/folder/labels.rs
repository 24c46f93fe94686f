//! Labels of a folder of images: from its folders, or from a list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Part, WHAT};
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
        let mut found = by_folder(root, names)?;
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
fn by_folder(root: &Path, names: &[String]) -> Result<Vec<Found>, Error> {
    let first = |name: &String| name.split_once('/').and_then(|(first, _)| part(first));
    let parts: Vec<Option<Part>> = names.iter().map(first).collect();
    // A class may be called train, and whoever forgot an image beside the parts wants to know.
    let at = |of_part: bool| parts.iter().position(|part| part.is_some() == of_part);
    if let (Some(of_part), Some(other)) = (at(true), at(false)) {
        let first = |index: usize| names[index].split('/').next().unwrap_or_default();
        let (expected, got) = (
            "folders of parts (train, validation, test) or of classes",
            format!("{:?} beside {:?}", first(of_part), first(other)),
        );
        let advice = "rename or move one of them, or list names, classes and parts in labels.csv";
        return Err(Error::unfit(WHAT, expected, got, root.display(), advice));
    }
    // Nothing could be learnt from a single folder of another part.
    let divided = parts.iter().any(|part| *part == Some(Part::Train) || *part != parts[0]);
    let found = |(name, part): (&String, Option<Part>)| {
        let inner = match divided {
            true => name.split_once('/').map_or("", |(_, inner)| inner),
            false => name,
        };
        let class = inner.split_once('/').map(|(class, _)| class.to_owned());
        (class, part.filter(|_| divided))
    };
    Ok(names.iter().zip(parts.iter().copied()).map(found).collect())
}

/// By a list of lines `name,class` or `name,class,part`; a first line `name,…` is a heading. Spreadsheets write semicolons or tabs.
fn listed(list: &Path, names: &[String]) -> Result<Vec<Found>, Error> {
    let text = read_text(list)?;
    let damaged = |expected: &str, got: String| {
        Error::damaged(FILE, expected, got, list.display(), "correct the list")
    };
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).trim(csv::Trim::All).delimiter(delimiter(text, names));
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for line in reader.from_reader(text.as_bytes()).records() {
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

/// What stands behind the first name of a list: the word `name` or that of an image.
fn delimiter(text: &str, names: &[String]) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let ends_a_name = |delimiter: &u8| {
        let name = first.split_once(char::from(*delimiter)).map(|(name, _)| name);
        let name = name.map(|name| name.trim().trim_matches('"'));
        name.is_some_and(|name| name == "name" || names.iter().any(|image| image == name))
    };
    [b',', b';', b'\t'].into_iter().find(ends_a_name).unwrap_or(b',')
}
