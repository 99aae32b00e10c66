//! Of a farm of 500 accounts beside 50 honest pairs, exactly the honest ones are rewarded.

use loyalty_ledger::memory::MemoryLedger;
use loyalty_tests_ledger::{
    farm::{FARMED, Farm, PAIRS},
    friends::post,
};
use pollster::block_on;

#[test]
fn exactly_the_honest_are_rewarded_and_every_refusal_has_its_reason() {
    for seed in [20_261_128, 1, 2, 3] {
        let farm = Farm::of(seed);
        let ledger = MemoryLedger::default();
        let program = Farm::program();

        let counted = block_on(async {
            farm.run(&ledger, async |join| {
                ledger.give_code(join.code.clone(), join.member_id.clone());
                for it in &join.signals {
                    ledger.note_signal(join.member_id.clone(), it.kind, it.hash);
                }
                post(&ledger, &program, &join.request).await
            })
            .await;
            farm.check(&ledger).await
        });

        println!("seed {seed}");
        for (reason, friends) in &counted {
            println!("{friends:>5} {reason}");
        }
        assert_eq!(farm.joins.len(), FARMED + 2 * PAIRS);
        assert_eq!(counted["rewarded"], PAIRS);
        let refused = ["ring", "same_person", "known_person"];
        for word in refused {
            assert!(counted.keys().any(|it| it.starts_with(word)), "{word}: {counted:?}");
        }
        // Only those who began a star or a chain are nobody's friend.
        assert!(counted.values().sum::<usize>() > PAIRS + FARMED / 2, "{counted:?}");
    }
}
