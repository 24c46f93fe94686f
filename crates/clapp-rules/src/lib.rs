//! CLAPP's plasticity rules written out: score, third factor, local updates, contrast sampling, predictors, and the online rule.
