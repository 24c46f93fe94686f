//! A configuration as a tree: files and settings over a preset; names that nothing has are refused.

use std::path::Path;

use clapp::{Error, Images, RunConfig, Sense, Sound, Video};
use serde_json::{Map, Value};

/// The sense of a configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Images,
    Sound,
    Video,
}

impl Kind {
    /// A configuration has the number of what is learnt from, under its own name.
    pub(crate) fn of(tree: &Value) -> Option<Self> {
        let known =
            [(Images::UNIT, Self::Images), (Sound::UNIT, Self::Sound), (Video::UNIT, Self::Video)];
        known.into_iter().find(|(unit, _)| tree.get(unit).is_some()).map(|(_, kind)| kind)
    }
}

/// The sense of the run in a folder.
///
/// # Errors
///
/// If there is no run.
pub(crate) fn kind_of_run(folder: &Path) -> Result<Kind, Error> {
    if !folder.join(CONFIG).is_file() {
        return Err(Error::NoRun { folder: folder.to_owned(), what: CONFIG });
    }
    let tree = read(folder)?;
    Kind::of(&tree).ok_or_else(|| {
        let got = format!("none of them in {}", folder.join(CONFIG).display());
        misfit("images, crops or clips", got, "is this the folder of a run?")
    })
}

const CONFIG: &str = "config.json";

fn misfit(expected: impl ToString, got: impl ToString, advice: &'static str) -> Error {
    Error::misfit_of("configuration", expected.to_string(), got.to_string(), advice)
}

/// Reads a configuration, or a part of one: TOML, JSON, or the folder of a run.
///
/// # Errors
///
/// If it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Value, Error> {
    let file = if path.is_dir() { path.join(CONFIG) } else { path.to_owned() };
    let refused = |source: &dyn ToString, expected| {
        let got = format!("{} in {}", source.to_string().trim_end(), file.display());
        misfit(expected, got, "correct the file")
    };
    let text =
        std::fs::read_to_string(&file).map_err(|source| refused(&source, "a file of settings"))?;
    if file.extension().is_some_and(|ending| ending == "json") {
        return serde_json::from_str(&text).map_err(|source| refused(&source, "JSON"));
    }
    toml::from_str(&text).map_err(|source| refused(&source, "TOML, or JSON in a file that ends so"))
}

/// The configuration as TOML, which has no word for nothing: what is none is left out.
///
/// # Errors
///
/// If TOML cannot express a value.
pub(crate) fn to_toml<S: Sense>(config: &RunConfig<S>) -> Result<String, Error> {
    fn without_nulls(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|_, value| !value.is_null());
                map.values_mut().for_each(without_nulls);
            }
            Value::Array(list) => list.iter_mut().for_each(without_nulls),
            _ => {}
        }
    }
    let mut tree = tree_of(config)?;
    without_nulls(&mut tree);
    let refused = |source| misfit("values that TOML has", source, "print it with --json");
    toml::to_string(&tree).map_err(refused)
}

fn tree_of<S: Sense>(config: &RunConfig<S>) -> Result<Value, Error> {
    let refused = |source| misfit("values that JSON has", source, "correct the setting");
    serde_json::to_value(config).map_err(refused)
}

/// Names from the root of a configuration to a setting.
type Names = Vec<String>;

/// The configuration changed by those of a file and by `key=value`.
///
/// # Errors
///
/// If a name is unknown or a value does not fit.
pub(crate) fn overlay<S: Sense>(
    base: &RunConfig<S>,
    file: Value,
    sets: &[String],
) -> Result<RunConfig<S>, Error> {
    let (mut tree, mut given) = (tree_of(base)?, Vec::new());
    merge(&mut tree, file, &mut Names::new(), &mut given);
    for set in sets {
        let (path, value) = assignment(set)?;
        put(&mut tree, &path, value)?;
        given.push(path);
    }
    let config: RunConfig<S> = serde_json::from_value(tree.clone()).map_err(|source| {
        let given: Vec<String> = given.iter().map(|path| path.join(".")).collect();
        let got = format!("\"{source}\" from what was set: {}", given.join(", "));
        misfit("settings that fit together", got, "correct them")
    })?;
    let known = tree_of(&config)?;
    for path in &given {
        if let Some((siblings, depth)) = unknown(&known, path)
            && changes_nothing(&config, &tree, &path[..=depth])
        {
            let whole =
                |name: &String| [&path[..depth], std::slice::from_ref(name)].concat().join(".");
            let siblings: Names = siblings.keys().map(whole).collect();
            return Err(Error::name("setting", &siblings.join(", "), &path[..=depth].join(".")));
        }
    }
    config.validate()?;
    Ok(config)
}

/// Lays `over` onto a tree. What says how something is to be read, a word `kind` or `layout` or the one name of a
/// choice, goes with all that belongs to it.
fn merge(tree: &mut Value, over: Value, at: &mut Names, given: &mut Vec<Names>) {
    let (Value::Object(old), Value::Object(new)) = (&mut *tree, &over) else {
        given.push(at.clone());
        *tree = over;
        return;
    };
    let word = |name| old.get(name).zip(new.get(name)).is_some_and(|(old, new)| old != new);
    let one = |map: &Map<String, Value>| map.keys().next().filter(|_| map.len() == 1).cloned();
    let choice = one(old).zip(one(new)).filter(|(old, new)| old != new);
    if !at.is_empty() && (word("kind") || word("layout") || choice.is_some()) {
        given.push(at.clone());
        *tree = over;
        return;
    }
    let Value::Object(new) = over else { return };
    for (name, value) in new {
        at.push(name.clone());
        match old.get_mut(&name) {
            Some(place) => merge(place, value, at, given),
            None => {
                given.push(at.clone());
                old.insert(name, value);
            }
        }
        at.pop();
    }
}

/// `encoder.layers.0.channels=16`: the names, and the value as JSON if it is some, else as a word.
fn assignment(set: &str) -> Result<(Names, Value), Error> {
    let (path, value) = set.split_once('=').ok_or_else(|| {
        Error::misfit_of("--set", "KEY=VALUE", format!("{set:?}"), "add the value")
    })?;
    let value = value.trim();
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((path.trim().split('.').map(str::to_owned).collect(), value))
}

/// Puts a value at a path, whose names are made if they are not there; those of lists have to be.
fn put(tree: &mut Value, path: &[String], value: Value) -> Result<(), Error> {
    let mut place = tree;
    for (depth, name) in path.iter().enumerate() {
        place = match place {
            Value::Array(list) => {
                let length = list.len();
                let item = name.parse().ok().and_then(|index: usize| list.get_mut(index));
                item.ok_or_else(|| {
                    let expected =
                        format!("a number below {length} in {}", path[..depth].join("."));
                    misfit(expected, format!("{name:?}"), "correct the setting")
                })?
            }
            Value::Object(map) => map.entry(name.clone()).or_insert(Value::Null),
            other => {
                *other = Value::Object(Map::new());
                other.as_object_mut().expect("made").entry(name.clone()).or_insert(Value::Null)
            }
        };
    }
    *place = value;
    Ok(())
}

/// The first name of a path that the tree does not have: what stands in its place, and how deep it is.
fn unknown<'a>(tree: &'a Value, path: &[String]) -> Option<(&'a Map<String, Value>, usize)> {
    let mut place = tree;
    for (depth, name) in path.iter().enumerate() {
        place = match place {
            Value::Object(map) => match map.get(name) {
                Some(next) => next,
                None => return Some((map, depth)),
            },
            Value::Array(list) => list.get(name.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    None
}

/// Whether a setting is not looked at: whatever stands there, the same configuration is read. Settings that have
/// their default are not written and would be taken for unknown ones without this.
fn changes_nothing<S: Sense>(config: &RunConfig<S>, tree: &Value, path: &[String]) -> bool {
    let odd = [Value::String("\u{1}".into()), Value::Array(vec![Value::Array(Vec::new())])];
    odd.into_iter().all(|value| {
        let mut tree = tree.clone();
        put(&mut tree, path, value).is_ok()
            && serde_json::from_value::<RunConfig<S>>(tree).is_ok_and(|read| read == *config)
    })
}
