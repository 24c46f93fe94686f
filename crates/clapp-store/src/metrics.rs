//! Metrics over time, one JSON object a line.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, atomic, write_atomically};

const STEP: &str = "an object with an unsigned integer \"step\"";

/// A file of JSON lines, each with a `step`, which a resumed run continues as if it had never
/// stopped.
///
/// # Example
///
/// ```
/// use clapp_store::{MetricsLog, read_metrics};
/// use serde_json::{Value, json};
/// # let root = std::env::temp_dir().join(format!("clapp-store-metrics-{}", std::process::id()));
/// # std::fs::create_dir_all(&root)?;
/// let path = root.join("metrics.jsonl");
///
/// let mut log = MetricsLog::open(&path, None)?;
/// for step in 1..=3 {
///     log.append(&json!({"step": step, "active": 0.5}))?;
/// }
/// // Killed here; the newest checkpoint is of step 2.
/// let mut log = MetricsLog::open(&path, Some(2))?;
/// log.append(&json!({"step": 3, "active": 0.5}))?;
/// log.sync()?; // before the next checkpoint is saved
///
/// let lines: Vec<Value> = read_metrics(&path)?;
/// assert_eq!(lines.len(), 3);
/// # std::fs::remove_dir_all(&root)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
    bytes: u64,
    lines: usize,
}

impl MetricsLog {
    /// Opens or makes a metrics file for a run that continues from the checkpoint of step
    /// `resume_from_step`, or begins (`None`).
    ///
    /// Lines of later steps are removed, all lines if the run begins, and a last line without its
    /// line feed, which was half-written. The file is replaced atomically if anything is removed.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if a complete line has no step; [`Error::Io`] or
    /// [`Error::StorageFull`] if the file cannot be read or written.
    ///
    /// # Cost
    ///
    /// Reads the whole file into memory, once.
    pub fn open(path: impl AsRef<Path>, resume_from_step: Option<u64>) -> Result<Self, Error> {
        let path = path.as_ref();
        let old = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(Error::io("open metrics", path, source)),
        };
        let kept = match resume_from_step {
            Some(step) => until(step, &old, path)?,
            None => Vec::new(),
        };
        if kept != old {
            write_atomically(path, |file| file.write_all(&kept))?;
        }
        let file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|file| atomic::sync_folder(atomic::parent(path)).map(|()| file))
            .map_err(|source| Error::write("open metrics", path, 0, "the run", source))?;
        let (bytes, lines) = (kept.len() as u64, complete_lines(&kept).count());
        Ok(Self { path: path.to_owned(), file, bytes, lines })
    }

    /// Appends one line and hands it to the operating system, so that it survives the end of this
    /// process, however it ends. JSON has no NaN: it is written as `null`.
    ///
    /// # Errors
    ///
    /// [`Error::Json`] if JSON cannot express the value, [`Error::Invalid`] if it has no step,
    /// [`Error::StorageFull`] or [`Error::Io`] if it cannot be written: no part of it remains then.
    pub fn append<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let action = "append metrics";
        let mut line = serde_json::to_string(value)
            .map_err(|source| Error::json(action, &self.path, source))?;
        let _: Step = parse(line.as_bytes(), STEP, self.lines + 1, &self.path)?;
        line.push('\n');
        let bytes = line.len() as u64;
        if let Err(source) = self.file.write_all(line.as_bytes()) {
            // If this fails too, the half line is removed when the run is resumed.
            let _ = self.file.set_len(self.bytes);
            return Err(Error::write(action, &self.path, bytes, "every earlier line", source));
        }
        self.bytes += bytes;
        self.lines += 1;
        Ok(())
    }

    /// Waits until all lines are on the disk. Call it before a checkpoint is saved: the lines up to
    /// the checkpoint then survive a power cut as well.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the disk fails.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(|source| Error::io("sync metrics", &self.path, source))
    }
}

/// Reads a metrics file. A last line without its line feed is left out: it is being written, or
/// its writer was killed.
///
/// # Errors
///
/// [`Error::Invalid`] with the number of the first line that is no `T`, [`Error::Io`] if the
/// file cannot be read.
///
/// # Example
///
/// ```
/// # let root = std::env::temp_dir().join(format!("clapp-store-read-{}", std::process::id()));
/// # std::fs::create_dir_all(&root)?;
/// # let path = root.join("metrics.jsonl");
/// #[derive(Debug, serde::Deserialize)]
/// struct Line {
///     step: u64,
/// }
///
/// std::fs::write(&path, "{\"step\": 1}\n{\"stop\": 2}\n")?;
/// let error = clapp_store::read_metrics::<Line>(&path).unwrap_err().to_string();
/// assert!(error.contains("missing field `step`"), "{error}");
/// assert!(error.contains("at line 2 in"), "{error}");
/// # std::fs::remove_dir_all(&root)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_metrics<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<Vec<T>, Error> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(|source| Error::io("read metrics", path, source))?;
    complete_lines(&bytes)
        .map(|(number, line)| parse(line, "the fields asked for", number, path))
        .collect()
}

#[derive(Deserialize)]
struct Step {
    step: u64,
}

/// The complete lines of `bytes` whose step is at most `last`.
fn until(last: u64, bytes: &[u8], path: &Path) -> Result<Vec<u8>, Error> {
    let mut kept = Vec::with_capacity(bytes.len());
    for (number, line) in complete_lines(bytes) {
        let Step { step } = parse(line, STEP, number, path)?;
        if step <= last {
            kept.extend_from_slice(line);
        }
    }
    Ok(kept)
}

/// Lines with their line feed and their number from 1, without a last line that has none.
fn complete_lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..).zip(bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n")))
}

fn parse<T: DeserializeOwned>(
    line: &[u8],
    expected: &'static str,
    number: usize,
    path: &Path,
) -> Result<T, Error> {
    serde_json::from_slice(line).map_err(|error| {
        let got = format!("\"{error}\" at line {number}");
        Error::invalid("metrics", expected, got, path, "correct or remove the line")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const SIX: std::ops::Range<u64> = 1..7;

    fn write(log: &mut MetricsLog, steps: std::ops::Range<u64>) {
        for step in steps {
            log.append(&json!({"step": step, "loss": 1.0 / step as f64})).unwrap();
        }
    }

    fn uninterrupted(folder: &Path) -> Vec<u8> {
        let path = folder.join("uninterrupted.jsonl");
        write(&mut MetricsLog::open(&path, None).unwrap(), SIX);
        fs::read(path).unwrap()
    }

    #[test]
    fn a_resumed_file_equals_the_uninterrupted_one_wherever_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let whole = uninterrupted(folder.path());
        let path = folder.path().join("resumed.jsonl");
        let first_four = complete_lines(&whole).take(4).map(|(_, line)| line.len()).sum();
        for cut in first_four..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            write(&mut MetricsLog::open(&path, Some(4)).unwrap(), 5..7);
            assert_eq!(fs::read(&path).unwrap(), whole, "cut at byte {cut}");
        }
    }

    #[test]
    fn a_run_that_begins_begins_with_an_empty_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.jsonl");
        fs::write(&path, "{\"step\":1}\n{\"st").unwrap();
        drop(MetricsLog::open(&path, None).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_reported_with_its_number_and_nothing_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.jsonl");
        let text = "{\"step\":1}\n{\"stop\":2}\n{\"step\":3}\n";
        fs::write(&path, text).unwrap();
        let error = MetricsLog::open(&path, Some(1)).unwrap_err().to_string();
        assert!(error.starts_with("metrics: expected an object with an unsigned"), "{error}");
        assert!(error.contains("at line 2 in ") && error.contains("m.jsonl"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_line_without_step_is_refused_before_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.jsonl");
        let mut log = MetricsLog::open(&path, None).unwrap();
        log.append(&json!({"step": 1})).unwrap();
        let error = log.append(&json!({"step": -1})).unwrap_err().to_string();
        assert!(error.contains("at line 2 in "), "{error}");
        log.sync().unwrap();
        assert_eq!(read_metrics::<Value>(&path).unwrap(), [json!({"step": 1})]);
    }

    #[test]
    fn a_half_written_last_line_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.jsonl");
        fs::write(&path, "{\"step\":1}\n{\"step\":2}").unwrap();
        assert_eq!(read_metrics::<Value>(&path).unwrap().len(), 1);
    }
}
