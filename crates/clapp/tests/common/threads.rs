//! The same run with other numbers of threads.

use clapp::{RunConfig, Sense};

use super::common::{assert_same, finished, results};

/// One thread and others give the same bytes.
pub fn assert_threads_change_no_byte<S: Sense + Sync>(config: &RunConfig<S>, others: &[usize])
where
    S::Setup: Sync,
{
    let root = tempfile::tempdir().unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        results(&pool.install(|| finished(root.path(), config)))
    };
    let expected = run(1);
    for &threads in others {
        assert_same(&run(threads), &expected, &format!("{threads} threads against 1"));
    }
}
