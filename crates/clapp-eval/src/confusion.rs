//! What is taken for what.

use std::fmt::Write;

use ndarray::{Array2, ArrayView2};

use crate::{Error, metrics, probe::same};

/// How often each class is taken for each, in samples: row label, column guess.
///
/// # Example
///
/// ```
/// use clapp_eval::Confusion;
/// use ndarray::array;
///
/// let scores = array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
/// let confusion = Confusion::of(scores.view(), &[0, 1, 1]).named(&["sil", "ah"])?;
/// assert_eq!(confusion.counts(), array![[1, 0], [1, 1]]);
/// assert_eq!(confusion.share(1, 0), Some(0.5));
/// assert_eq!(confusion.to_csv(), "label,sil,ah\nsil,1,0\nah,1,1\n");
/// # Ok::<(), clapp_eval::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    counts: Array2<u64>,
    names: Vec<String>,
}

impl Confusion {
    /// No sample yet; classes are named by their numbers.
    #[must_use]
    pub fn empty(classes: usize) -> Self {
        let names = (0..classes).map(|class| class.to_string()).collect();
        Self { counts: Array2::zeros((classes, classes)), names }
    }

    /// Counts more samples.
    ///
    /// # Shapes and panics
    ///
    /// As [`metrics::top1`].
    ///
    /// # Errors
    ///
    /// [`Error::Disagreement`] if the scores are of other classes.
    pub fn count(&mut self, scores: ArrayView2<'_, f64>, labels: &[u32]) -> Result<(), Error> {
        same("number of classes", scores.ncols(), self.classes())?;
        metrics::check(scores, labels);
        for (row, &label) in scores.rows().into_iter().zip(labels) {
            self.counts[[label as usize, metrics::guess(row)]] += 1;
        }
        Ok(())
    }

    /// Counts labels and guesses; classes are named by their numbers.
    ///
    /// # Shapes and panics
    ///
    /// As [`metrics::top1`].
    #[must_use]
    pub fn of(scores: ArrayView2<'_, f64>, labels: &[u32]) -> Self {
        let mut confusion = Self::empty(scores.ncols());
        confusion.count(scores, labels).expect("there are as many classes as scores");
        confusion
    }

    /// The same counts with other names.
    ///
    /// # Errors
    ///
    /// [`Error::Disagreement`] unless there is one name a class.
    pub fn named(self, names: &[impl AsRef<str>]) -> Result<Self, Error> {
        same("number of class names", self.classes(), names.len())?;
        Ok(Self { names: names.iter().map(|name| name.as_ref().to_owned()).collect(), ..self })
    }

    /// `[label, guess]`, in samples.
    #[must_use]
    pub fn counts(&self) -> ArrayView2<'_, u64> {
        self.counts.view()
    }

    /// The names, indexed by class.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.names.len()
    }

    /// The part of the samples of class `label` that is taken for class `guess`; `None` without a sample.
    ///
    /// # Panics
    ///
    /// If a class is not below their number.
    #[must_use]
    pub fn share(&self, label: usize, guess: usize) -> Option<f64> {
        let samples = self.counts.row(label).sum();
        (samples > 0).then(|| self.counts[[label, guess]] as f64 / samples as f64)
    }

    /// Percentage of samples that are right.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        100.0 * self.counts.diag().sum() as f64 / self.counts.sum().max(1) as f64
    }

    /// Percentage of samples that are right among those of other classes than `class`; `None` without
    /// such a sample. A guess of `class` is wrong there. Frames of silence are many and easily found:
    /// without them the number says more about phones.
    ///
    /// # Panics
    ///
    /// If `class` is not below the number of classes.
    #[must_use]
    pub fn accuracy_without(&self, class: usize) -> Option<f64> {
        let samples = self.counts.sum() - self.counts.row(class).sum();
        let right = self.counts.diag().sum() - self.counts[[class, class]];
        (samples > 0).then(|| 100.0 * right as f64 / samples as f64)
    }

    /// The counts as comma-separated values: names of guesses in the first line, of labels in the first
    /// column. Names with commas, quotes or line breaks are quoted.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| quoted(name)).collect();
        let mut text = format!("label,{}\n", names.join(","));
        for (name, row) in names.iter().zip(self.counts.outer_iter()) {
            text.push_str(name);
            row.iter().for_each(|count| write!(text, ",{count}").expect("a string takes any text"));
            text.push('\n');
        }
        text
    }
}

fn quoted(name: &str) -> String {
    match name.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn confusion() -> Confusion {
        let names = ["sil", "a, e", "never"].map(str::to_owned).to_vec();
        Confusion { counts: array![[80, 10, 0], [5, 5, 0], [0, 0, 0]], names }
    }

    #[test]
    fn silence_can_be_left_out() {
        assert!((confusion().accuracy() - 85.0).abs() < 1e-12);
        assert!((confusion().accuracy_without(0).unwrap() - 50.0).abs() < 1e-12);
        let silent = Confusion { counts: array![[3, 1], [0, 0]], ..confusion() };
        assert_eq!(silent.accuracy_without(0), None);
    }

    #[test]
    fn classes_that_never_occur_count_for_nothing() {
        assert_eq!(confusion().share(2, 2), None);
        assert_eq!(confusion().share(0, 0), Some(80.0 / 90.0));
    }

    #[test]
    fn names_with_commas_are_quoted() {
        let text = confusion().to_csv();
        assert_eq!(text.lines().nth(2), Some("\"a, e\",5,5,0"));
        assert_eq!(text.lines().next(), Some("label,sil,\"a, e\",never"));
    }

    #[test]
    fn as_many_names_as_classes_are_needed() {
        let error = confusion().named(&["a"]).unwrap_err().to_string();
        assert!(error.starts_with("number of class names: expected 3, got 1"), "{error}");
    }
}
