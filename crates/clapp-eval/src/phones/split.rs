//! Parts of a labelled set that share no speaker.

use std::collections::BTreeMap;

use clapp_random::{Purpose, stream};

use crate::Error;
use crate::features::shuffle;

/// First index of the streams of [`Purpose::Split`] used here.
const SPEAKERS: u64 = 2;

/// Divides utterances into `folds` parts of about as many frames, no speaker in two of them.
///
/// A probe that is fitted on all parts but one and tested on that one meets voices that it has not
/// heard. Speakers are shuffled, taken from the one with most frames down (of equals as shuffled),
/// and each goes to the part with fewest frames so far.
///
/// # Shapes
///
/// - `speakers`, `frames`: `[utterances]`, who speaks and for how long
/// - returns `[utterances]`: the part of each, below `folds`
///
/// # Errors
///
/// [`Error::Setting`] if there are fewer than 2 parts, or fewer speakers than parts.
///
/// # Panics
///
/// If `speakers` and `frames` differ in length.
///
/// # Example
///
/// ```
/// use clapp_eval::phones::speaker_folds;
///
/// let parts = speaker_folds(&[7, 7, 3, 5], &[400, 500, 800, 700], 2, 1)?;
/// assert_eq!(parts[0], parts[1]); // one speaker
/// assert_eq!(parts[2], parts[3]); // 900 frames are most, so both others go to the other part
/// # Ok::<(), clapp_eval::Error>(())
/// ```
pub fn speaker_folds(
    speakers: &[usize],
    frames: &[usize],
    folds: usize,
    seed: u64,
) -> Result<Vec<usize>, Error> {
    let (utterances, lengths) = (speakers.len(), frames.len());
    assert!(utterances == lengths, "speakers: expected {utterances} lengths, got {lengths}");
    let mut spoken = BTreeMap::new();
    for (speaker, frames) in speakers.iter().zip(frames) {
        *spoken.entry(*speaker).or_insert(0) += frames;
    }
    if folds < 2 || folds > spoken.len() {
        let expected = "2 to the number of speakers";
        return Err(Error::Setting { setting: "speaker folds", expected, got: folds as f64 });
    }
    let mut order: Vec<(usize, usize)> = spoken.into_iter().collect();
    shuffle(&mut order, &mut stream(seed, Purpose::Split, [SPEAKERS, 0, 0, 0]));
    order.sort_by_key(|&(_, frames)| std::cmp::Reverse(frames));
    let mut sums = vec![0; folds];
    let mut fold_of = BTreeMap::new();
    for (speaker, frames) in order {
        let fold = (0..folds).min_by_key(|&fold| sums[fold]).unwrap_or(0);
        sums[fold] += frames;
        fold_of.insert(speaker, fold);
    }
    Ok(speakers.iter().map(|speaker| fold_of[speaker]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_of_about_one_size_and_share_no_speaker() {
        let speakers: Vec<usize> = (0..90).map(|i| i * i % 17).collect();
        let frames: Vec<usize> = (0..90).map(|i| 300 + i * 37 % 900).collect();
        for folds in 2..5 {
            let parts = speaker_folds(&speakers, &frames, folds, 3).unwrap();
            let mut part_of = BTreeMap::new();
            let mut sums = vec![0; folds];
            for ((part, speaker), frames) in parts.iter().zip(&speakers).zip(&frames) {
                assert_eq!(part_of.entry(speaker).or_insert(part), &part);
                sums[*part] += frames;
            }
            let (total, largest): (usize, _) = (sums.iter().sum(), sums.iter().max().unwrap());
            // 9 speakers of at most 13,000 frames: the last one to be placed decides the difference.
            assert!(largest * folds < total * 3 / 2, "{sums:?}");
        }
    }

    #[test]
    fn seeds_give_other_parts() {
        let speakers: Vec<usize> = (0..20).collect();
        let parts = |seed| speaker_folds(&speakers, &[100; 20], 2, seed).unwrap();
        assert_eq!(parts(1), parts(1));
        assert_ne!(parts(1), parts(2));
    }

    #[test]
    fn more_parts_than_speakers_are_refused() {
        let error = speaker_folds(&[4, 4, 2], &[1, 1, 1], 3, 1).unwrap_err().to_string();
        assert!(error.starts_with("speaker folds: expected 2 to the number of speakers, got 3"));
    }
}
