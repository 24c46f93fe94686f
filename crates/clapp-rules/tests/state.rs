//! What learns can be taken out by name and put back, bit for bit.

use burn::tensor::{Device, Tensor, TensorData};
use clapp_random::{Purpose, Stream, stream};
use clapp_rules::{Lateral, LateralUpdate, Optimizer, State, StateError, Synapses, WayBack};

fn random(index: u64) -> Stream {
    stream(5, Purpose::Test, [index, 0, 0, 0])
}

fn lateral(way_back: WayBack, index: u64) -> Lateral {
    Lateral::uniform(2, 3, 4, way_back, &Device::flex(), &mut random(index))
}

/// One step of learning in the direction of the weights themselves.
fn learn(lateral: &mut Lateral) {
    let names = ["w_pred", "w_retro"].into_iter().filter(|name| lateral.has(name));
    let update = names
        .fold(LateralUpdate::default(), |update, name| update.with(name, lateral.weight(name)));
    lateral.learn(update, &Optimizer::default());
}

fn saved(lateral: &Lateral) -> State {
    let mut state = State::default();
    lateral.save("layer1", &mut state);
    state
}

#[test]
fn names_say_what_a_tensor_is() {
    let mut own = lateral(WayBack::OwnWeights, 1);
    let names = |p: &Lateral| saved(p).tensors.into_keys().collect::<Vec<_>>();
    let untrained =
        ["layer1.w_pred", "layer1.w_pred.steps", "layer1.w_retro", "layer1.w_retro.steps"];
    assert_eq!(names(&own), untrained);
    learn(&mut own);
    let trained = [
        "layer1.w_pred",
        "layer1.w_pred.first",
        "layer1.w_pred.second",
        "layer1.w_pred.steps",
        "layer1.w_retro",
        "layer1.w_retro.first",
        "layer1.w_retro.second",
        "layer1.w_retro.steps",
    ];
    assert_eq!(names(&own), trained);
}

#[test]
fn a_restored_layer_learns_on_as_if_never_stopped() {
    for way_back in [WayBack::Transposed, WayBack::OwnWeights] {
        let mut uninterrupted = lateral(way_back, 1);
        (0..3).for_each(|_| learn(&mut uninterrupted));
        let state = saved(&uninterrupted);
        let mut restored = lateral(way_back, 2);
        restored.load("layer1", &state).unwrap();
        assert_eq!(restored.synapses("w_pred").steps(), 3);
        assert_eq!(saved(&restored).tensors, state.tensors);
        // Adam's next step needs weights, moments and the number of steps.
        learn(&mut uninterrupted);
        learn(&mut restored);
        assert_eq!(saved(&restored).tensors, saved(&uninterrupted).tensors);
    }
}

#[test]
fn an_untrained_state_clears_the_moments() {
    let untrained = saved(&lateral(WayBack::Transposed, 1));
    let mut trained = lateral(WayBack::Transposed, 2);
    learn(&mut trained);
    trained.load("layer1", &untrained).unwrap();
    assert!(trained.synapses("w_pred").memory().tensors.is_empty());
    assert_eq!(trained.synapses("w_pred").steps(), 0);
}

#[test]
fn every_missing_tensor_is_named() {
    let mut trained = lateral(WayBack::OwnWeights, 1);
    learn(&mut trained);
    let complete = saved(&trained);
    let required = complete.tensors.keys().filter(|name| !name.ends_with(".first"));
    for name in required {
        let mut state = complete.clone();
        state.tensors.remove(name);
        let error = lateral(WayBack::OwnWeights, 2).load("layer1", &state).unwrap_err();
        let count = state.tensors.len();
        assert_eq!(error, StateError::Missing { name: name.clone(), count });
        assert!(error.to_string().contains(name.as_str()), "{error}");
    }
}

#[test]
fn retrodiction_weights_that_were_never_saved_are_missed() {
    let state = saved(&lateral(WayBack::Transposed, 1));
    let error = lateral(WayBack::OwnWeights, 2).load("layer1", &state).unwrap_err();
    assert_eq!(error, StateError::Missing { name: "layer1.w_retro".into(), count: 2 });
}

#[test]
fn every_wrong_shape_is_named() {
    let mut trained = lateral(WayBack::OwnWeights, 1);
    learn(&mut trained);
    let complete = saved(&trained);
    for (name, data) in &complete.tensors {
        let mut state = complete.clone();
        state.tensors.insert(name.clone(), TensorData::new(vec![0f32; 4], [2, 2]));
        let error = lateral(WayBack::OwnWeights, 2).load("layer1", &state).unwrap_err();
        let expected = data.shape().as_slice().to_vec();
        assert_eq!(error, StateError::Shape { name: name.clone(), expected, found: vec![2, 2] });
        assert!(error.to_string().contains("[2, 2]"), "{error}");
    }
}

#[test]
fn synapses_are_unchanged_by_a_state_that_does_not_fit() {
    let mut synapses = Synapses::<1>::new(Tensor::from_floats([1.0, 2.0], &Device::flex()));
    synapses.learn(Tensor::from_floats([0.5, -0.5], &Device::flex()), &Optimizer::default());
    let mut before = State::default();
    synapses.save("w", &mut before);
    let mut broken = before.clone();
    broken.tensors.insert("w".into(), TensorData::new(vec![7f32, 7.0], [2]));
    broken.tensors.remove("w.second");
    assert!(synapses.load("w", &broken).is_err());
    let mut after = State::default();
    synapses.save("w", &mut after);
    assert_eq!(after.tensors, before.tensors);
}
