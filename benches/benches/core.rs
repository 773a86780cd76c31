//! Times of parsing, writing and answering. `cargo bench -p sip-benches`.

use criterion::{Criterion, criterion_group, criterion_main};
use sip_benches::{Callee, Forwarding, Options, Parts, parse_lazy, parse_typed, samples};

fn messages(c: &mut Criterion) {
    for (name, sample) in [("invite", samples::INVITE), ("ok", samples::OK), ("register", samples::REGISTER)] {
        c.bench_function(&format!("parse lazy {name}"), |b| b.iter(|| parse_lazy(sample)));
        c.bench_function(&format!("parse typed {name}"), |b| b.iter(|| parse_typed(sample)));
        let parts = Parts::of(sample);
        let mut room = vec![0; 65_535];
        c.bench_function(&format!("write {name}"), |b| b.iter(|| parts.write(&mut room)));
    }
}

fn proxy(c: &mut Criterion) {
    let mut room = vec![0; 65_535];
    for (name, sample) in [("invite", samples::INVITE), ("ok", samples::OK)] {
        let message = Forwarding::of(sample);
        c.bench_function(&format!("forward {name}"), |b| b.iter(|| message.write(&mut room)));
    }
}

fn agent(c: &mut Criterion) {
    let mut options = Options::new(samples::OPTIONS);
    c.bench_function("options answered", |b| b.iter(|| options.run()));
    let mut callee = Callee::new(samples::INVITE);
    c.bench_function("call at the callee", |b| b.iter(|| callee.run()));
}

criterion_group!(benches, messages, proxy, agent);
criterion_main!(benches);
