//! The examples are what they say they are.

use loyalty_contracts::parse;
use loyalty_domain::{
    command::{Command, Correction},
    id::{Category, Channel, MemberId},
    money::Minor,
    order::LineKey,
    points::Points,
};

use crate::{examples, received_at};

#[track_caller]
fn command(name: &str) -> (String, Command) {
    let (_, body) =
        examples().into_iter().find(|(it, _)| it == name).expect("the example is there");
    let request = parse(&body, received_at()).expect("the example is right");
    (request.id.to_string(), request.command)
}

#[test]
fn every_example_is_read() {
    for (name, body) in examples() {
        let request = parse(&body, received_at());

        assert!(request.is_ok(), "{name}: {request:?}");
    }
}

#[test]
fn a_paid_order_says_all_that_was_sent() {
    let (id, command) = command("order.paid.full.envelope.json");

    assert_eq!(id, "O#gid://shop/Order/450789469");
    let Command::PayOrder(order) = command else { panic!("{command:?}") };
    assert_eq!(order.member_id.as_ref().map(MemberId::as_str), Some("member-7f3a"));
    assert_eq!(order.paid_at.to_string(), "2026-06-30T09:15:01.25Z");
    assert_eq!(order.currency.code(), "EUR");
    assert_eq!(order.channel.as_ref().map(Channel::as_str), Some("online"));
    assert_eq!(order.referral_code.as_deref(), Some("FRIEND-4K7Q"));
    let content = &order.content;
    let amounts = [content.discounts, content.tax, content.shipping, content.paid_with_points];
    assert_eq!(amounts.map(Minor::get), [300, 431, 490, 500]);
    let lines: Vec<_> = content
        .lines
        .iter()
        .map(|it| (it.sku.as_str(), it.quantity, it.amount.get(), it.discounts.get()))
        .collect();
    // 3 x 165.5 = 496.5, which is rounded to 497.
    let tea = ("TEA-EARL-GREY-100", 3, 497, 50);
    assert_eq!(lines, [tea, ("MUG-BLUE", 2, 2400, 240), ("GIFT-25", 1, 2500, 0)]);
    let gift_cards: Vec<_> = content.lines.iter().map(|it| it.is_gift_card).collect();
    assert_eq!(gift_cards, [false, false, true]);
    let categories: Vec<_> =
        content.lines.iter().map(|it| it.category.as_ref().map(Category::as_str)).collect();
    assert_eq!(categories, [Some("tea"), Some("kitchen"), Some("gift cards")]);
}

#[test]
fn what_an_order_does_not_say_is_nothing() {
    let (_, command) = command("order.paid.guest.bare.json");

    let Command::PayOrder(order) = command else { panic!("{command:?}") };
    assert_eq!(order.member_id, None);
    assert_eq!((order.channel, order.referral_code), (None, None));
    let content = &order.content;
    let amounts = [content.discounts, content.tax, content.shipping, content.paid_with_points];
    assert_eq!(amounts.map(Minor::get), [0; 4]);
    assert_eq!((content.lines[0].amount.get(), content.lines[0].category.as_ref()), (102, None));
}

#[test]
fn a_changed_order_is_its_complete_new_content() {
    let (id, command) = command("order.changed.full.envelope.json");

    assert_eq!(id, "O#gid://shop/Order/450789469#C#edit:1");
    let Command::CorrectOrder { correction: Correction::Content(content), .. } = command else {
        panic!("{command:?}")
    };
    let amounts: Vec<_> = content.lines.iter().map(|it| it.amount.get()).collect();
    assert_eq!(amounts, [331, 2400, 2500]);
    let amounts = [content.discounts, content.tax, content.shipping, content.paid_with_points];
    assert_eq!(amounts.map(Minor::get), [300, 405, 490, 500]);
}

#[test]
fn a_cancelled_order_loses_all_that_is_left() {
    let (id, command) = command("order.cancelled.full.envelope.json");

    assert_eq!(id, "O#gid://shop/Order/450789469#X");
    assert!(matches!(command, Command::CorrectOrder { correction: Correction::All, .. }));
}

#[test]
fn a_refund_takes_lines_and_then_shipping_and_tax() {
    let (id, command) = command("order.refunded.full.envelope.json");

    assert_eq!(id, "O#gid://shop/Order/450789469#R#gid://shop/Refund/509562969");
    let Command::CorrectOrder { correction: Correction::Lines(lines), .. } = command else {
        panic!("{command:?}")
    };
    let line =
        |id: &str| LineKey::Line(format!("gid://shop/LineItem/{id}").as_str().try_into().unwrap());
    let lines: Vec<_> =
        lines.into_iter().map(|it| (it.key, it.quantity, it.amount.get())).collect();
    let extras = [(LineKey::Shipping, 0, 490), (LineKey::Tax, 0, 74)];
    assert_eq!(lines[..2], [(line("9001"), 1, 166), (line("9002"), 0, 300)]);
    assert_eq!(lines[2..], extras);
}

#[test]
fn a_refund_of_an_amount_names_no_lines() {
    let (id, command) = command("order.refunded.amount.bare.json");

    assert_eq!(id, "O#1001#R#2");
    let Command::CorrectOrder { correction: Correction::Amount(amount), .. } = command else {
        panic!("{command:?}")
    };
    assert_eq!(amount.get(), 120);
}

#[test]
fn what_points_pay_names_its_hold_and_a_refund_may_say_how_many_come_back() {
    let (_, paid) = command("order.paid.points.bare.json");
    let (_, refund) = command("order.refunded.points.bare.json");

    let Command::PayOrder(order) = paid else { panic!("{paid:?}") };
    let hold = order.points_hold.map(|it| it.to_string());
    assert_eq!(hold.as_deref(), Some("5f0c2b1a9e8d7c6b5a4f3e2d1c0b9a88"));
    assert_eq!(order.content.paid_with_points.get(), 1_000);
    let Command::CorrectOrder { points, .. } = refund else { panic!("{refund:?}") };
    assert_eq!(points.map(Points::get), Some(60));
    let (_, other) = command("order.refunded.amount.bare.json");
    assert!(matches!(other, Command::CorrectOrder { points: None, .. }));
}

#[test]
fn a_balance_is_all_that_a_member_brings() {
    let (id, command) = command("balance.opened.full.envelope.json");

    assert_eq!(id, "B#member-7f3a");
    let Command::OpenAccount { member_id, opening } = command else { panic!("{command:?}") };
    assert_eq!(member_id.as_str(), "member-7f3a");
    let lots: Vec<_> =
        opening.lots.iter().map(|it| (it.points.get(), it.last_good_day.to_string())).collect();
    assert_eq!(lots, [(1200, "2026-12-31".to_owned()), (350, "2027-06-30".to_owned())]);
    let pending: Vec<_> = opening
        .pending
        .iter()
        .map(|it| {
            let day = it.last_good_day.map_or_else(|| "as orders".to_owned(), |it| it.to_string());
            format!("{} at {} through {day}", it.points, it.matures_at)
        })
        .collect();
    assert_eq!(
        pending,
        [
            "80 at 2026-07-09T08:15:00Z through as orders",
            "45 at 2026-07-11T22:00:00Z through 2027-06-30"
        ]
    );
    assert_eq!(opening.debt.get(), 20);
    let level = opening.level.unwrap();
    assert_eq!(level.level.as_str(), "gold");
    assert_eq!(level.valid_through, Some("2027-03-31".parse().unwrap()));
    let months: Vec<_> = opening
        .months
        .iter()
        .map(|it| format!("{} {} {}", it.month, it.measure.spend, it.measure.orders))
        .collect();
    assert_eq!(months, ["2026-03 25990 2", "2026-06 8000 1"]);
    assert_eq!((opening.earlier.spend.minor(), opening.earlier.orders), (412_050, 37));
}
