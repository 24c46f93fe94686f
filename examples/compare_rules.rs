//! Rules on one data set, for equal budgets, in one table: accuracy, untrained twin, seconds.
//!
//! A few rules on the embedded scenes, under two minutes on two cores. All are read out in the same way. Call it
//! again to go on after a stop. `clapp compare` does this for images of your own, with a process for each rule, as
//! figures of memory need it.
//!
//! `cargo run --release --example compare_rules`

use clapp::comparison::{Budget, Comparison, Plan};
use clapp::{Error, Images, ProgressBar};
use clapp_examples::say;

const METHODS: [&str; 6] = ["clapp-s", "clapp", "gim", "softhebb", "clapp-pp", "lpl"];

fn main() -> Result<(), Error> {
    let budget = Budget::Samples(3_200);
    let plan = Plan::of(&METHODS, "quick", &Images::Synthetic, &[2, 3], budget)?;
    let comparison = Comparison::open("comparison", plan)?;
    let device = clapp::device("flex")?;
    let table = comparison.execute(&device, &mut ProgressBar::until_interrupted())?;
    say!("{table}\nfolder: {}", comparison.path().display());
    Ok(())
}
