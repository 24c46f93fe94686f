//! Where features are kept: in memory, or in a file once they are many.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use ndarray::{Array2, ArrayView2};

use crate::{Error, Features};

/// Where features are kept while they are gathered and read out.
///
/// A set of more than `most` bytes goes to a file in `folder` that has no name: it is gone when the last
/// copy of the features is dropped, and also when the program ends before that, by whatever cause. On
/// systems without such files the system deletes it on closing.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Bytes that one set may take in memory.
    pub most: u64,
    /// Folder of the file; one on a disk, not in memory.
    pub folder: PathBuf,
}

impl Default for Keep {
    /// Everything in memory.
    fn default() -> Self {
        Self { most: u64::MAX, folder: std::env::temp_dir() }
    }
}

/// Features on their way, rows after rows.
///
/// # Example
///
/// ```
/// use clapp_eval::{Gather, Keep};
/// use ndarray::array;
///
/// // Two rows of two numbers are 16 bytes.
/// let keep = Keep { most: 15, ..Keep::default() };
/// let mut gather = Gather::new([2, 2], &keep)?;
/// gather.push(array![[1.0, 2.0]].view())?;
/// gather.push(array![[3.0, 4.0]].view())?;
/// let features = gather.features(vec![0, 1])?;
/// assert!(features.is_streamed());
/// assert_eq!(features.subset(&[1]).values(), array![[3.0, 4.0]]);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
#[derive(Debug)]
pub struct Gather {
    dim: usize,
    rows: usize,
    values: Vec<f32>,
    file: Option<Stored>,
}

impl Gather {
    /// Begins with an expected `[samples, dim]`, which decides where they are kept.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if there is no file to be had in the folder.
    pub fn new([samples, dim]: [usize; 2], keep: &Keep) -> Result<Self, Error> {
        let bytes = (samples * dim * size_of::<f32>()) as u64;
        let file = if bytes > keep.most { Some(Stored::new(keep, dim)?) } else { None };
        let mut values = Vec::new();
        if file.is_none() {
            // Growing by doubling would take three times what is needed.
            values.reserve_exact(samples * dim);
        }
        Ok(Self { dim, rows: 0, values, file })
    }

    /// Adds rows, `[rows, dim]`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the disk is full or fails; [`Error::Invalid`] if a value that goes to a file is
    /// infinite or not a number, which [`features`](Self::features) says of the others.
    ///
    /// # Panics
    ///
    /// If rows have another length.
    pub fn push(&mut self, rows: ArrayView2<'_, f32>) -> Result<(), Error> {
        let (count, dim) = rows.dim();
        assert!(dim == self.dim, "gather: expected rows of {}, got {dim}", self.dim);
        match &self.file {
            None => self.values.extend(rows.iter()),
            Some(file) => {
                crate::features::finite(rows, self.rows)?;
                file.append(rows)?;
            }
        }
        self.rows += count;
        Ok(())
    }

    /// All rows with their labels.
    ///
    /// # Errors
    ///
    /// As [`Features::new`].
    pub fn features(self, labels: Vec<u32>) -> Result<Features, Error> {
        let Self { dim, rows, values, file } = self;
        match file {
            None => {
                let values = Array2::from_shape_vec((rows, dim), values);
                Features::new(values.expect("rows are whole"), labels)
            }
            Some(stored) => Features::stored(stored, rows, labels),
        }
    }
}

/// Rows in a file without a name.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    file: Arc<Mutex<File>>,
    folder: PathBuf,
    pub(crate) dim: usize,
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
    }
}

impl Stored {
    fn new(keep: &Keep, dim: usize) -> Result<Self, Error> {
        let folder = keep.folder.clone();
        let file = tempfile::tempfile_in(&folder);
        let file = file.map_err(|source| Error::File { path: folder.clone(), source })?;
        Ok(Self { file: Arc::new(Mutex::new(file)), folder, dim })
    }

    fn with(&self, act: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<(), Error> {
        // A file has no state that a panic could leave half done: every access seeks first.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut file).map_err(|source| Error::File { path: self.folder.clone(), source })
    }

    fn append(&self, rows: ArrayView2<'_, f32>) -> Result<(), Error> {
        let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.with(|file| {
            file.seek(SeekFrom::End(0))?;
            file.write_all(&bytes)
        })
    }

    /// Runs of following rows, `(first, count)` each, one below the other.
    pub(crate) fn read(&self, runs: &[(usize, usize)]) -> Result<Array2<f32>, Error> {
        let (rows, row) = (runs.iter().map(|run| run.1).sum(), self.dim * size_of::<f32>());
        let mut bytes = vec![0; rows * row];
        self.with(|file| {
            let mut rest = &mut bytes[..];
            for &(first, count) in runs {
                let (part, after) = rest.split_at_mut(count * row);
                file.seek(SeekFrom::Start((first * row) as u64))?;
                file.read_exact(part)?;
                rest = after;
            }
            Ok(())
        })?;
        let values = bytes.chunks_exact(size_of::<f32>());
        let values = values.map(|b| f32::from_le_bytes(b.try_into().expect("four bytes")));
        let values = Array2::from_shape_vec((rows, self.dim), values.collect());
        Ok(values.expect("rows are whole"))
    }
}
