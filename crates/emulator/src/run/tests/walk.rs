//! The way that a browser walks.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_same_seed_walks_the_same_way_whatever_happens_on_it() {
    let one = || workload(1, 20, 30);
    let calm = Fake::steady(MS);
    ran(calm.clone(), one()).await;
    let rough = Fake::new(|this| {
        let class = FailureClass::ALL[1 + this.number as usize % 3];
        (MS * (this.number % 50), if this.number % 4 == 3 { Err(class) } else { Ok(()) })
    });
    ran(rough.clone(), one()).await;
    let lossy = Fake::new(|this| {
        (7 * MS, if this.number % 9 == 8 { Err(FailureClass::ConnectionLost) } else { Ok(()) })
    });
    ran(lossy.clone(), one()).await;
    let calm = calm.walks().concat();
    let rough = rough.walks().concat();
    // A page whose connection was lost is asked for again on the next one.
    let mut asked: Vec<_> = lossy.asked.lock().expect("free").iter().map(|(_, r)| r.clone()).collect();
    asked.iter_mut().for_each(|request| {
        if let bookstore::Request::BuyConfirm(form) = request {
            form.token.clear();
        }
    });
    asked.dedup();
    let lossy: Vec<_> = asked.iter().map(bookstore::Request::interaction).collect();
    for (name, other) in [("rough", rough), ("lossy", lossy)] {
        let common = calm.len().min(other.len());
        assert!(common > 200, "{name}: {common} pages to compare");
        assert_eq!(calm[..common], other[..common], "{name}");
    }
    let another = Fake::steady(MS);
    ran_with(another.clone(), one(), Arc::new(NoControl), CancellationToken::new(), 8).await;
    assert_ne!(calm[..100], another.walks().concat()[..100], "another seed walks another way");
}

#[tokio::test(start_paused = true)]
async fn each_browser_walks_alone() {
    // With twice the browsers, those that were there before walk as they did.
    let walks = |sessions| async move {
        let fake = Fake::steady(MS);
        ran(fake.clone(), workload(sessions, 50, 20)).await;
        let mut walks = fake.walks();
        walks.iter_mut().for_each(|walk| walk.truncate(100));
        walks
    };
    let (few, many) = (walks(3).await, walks(6).await);
    assert_eq!(few.len(), 3);
    for walk in few {
        assert!(many.contains(&walk), "{walk:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_always_refused_is_given_up_and_the_walk_goes_on() {
    let fake = Fake::new(|this| {
        let refused = this.page == Interaction::SearchRequest;
        (MS, if refused { Err(FailureClass::Refused) } else { Ok(()) })
    });
    let ran = ran(fake, workload(10, 50, 25)).await;
    let table = ran.rows::<InteractionRow>();
    let of = |page: Interaction| &table[page.index()];
    assert_eq!(of(Interaction::SearchRequest).count, 0);
    assert!(of(Interaction::SearchRequest).errors > 30);
    assert!(of(Interaction::SearchResults).count > 30, "what comes after it is reached all the same");
}

#[tokio::test(start_paused = true)]
async fn a_visit_ends_before_home_and_takes_a_new_connection() {
    let fake = Fake::steady(MS);
    let mut load = workload(1, 30, 60);
    load.visit_length = Span::secs(1);
    ran(fake.clone(), load).await;
    let walks = fake.walks();
    assert!(walks.len() > 10, "{} visits in 60 s", walks.len());
    assert!(walks.iter().all(|walk| walk.first() == Some(&Interaction::Home)), "each begins with home");
}
