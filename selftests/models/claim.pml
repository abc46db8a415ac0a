// SPDX-License-Identifier: GPL-2.0
/*
 * Claim, walk, settle, against derivation and the last put.
 *
 * A parent with a child, one of which has a callback. One cancels the parent and
 * waits until all has come to rest; another cancels it, leaving the walk to a worker, or
 * what is beyond its budget; another cancels the child, or just puts it; another derives
 * from either, perhaps spreading it first. Each has a reference, which he drops.
 *
 *	kmod/cancel.c	ctx_claim_self(), ctx_claim_end(), ctx_leave_unsettled(),
 *			ctx_take_child(), ctx_close(), ctx_take_all(), ctx_walk(),
 *			ctx_count_off(), ctx_settle_above(), ctx_wait_settled()
 *	kmod/tree.c	ctx_scope_begin(), ctx_scope_strip(), ctx_leave_home()
 *	kmod/spread.c	ctx_spread_out(), ctx_join_home(); the counts are in spread.pml
 *
 * Each look at or change of what is shared is a step, with those that a lock makes one
 * with it. A batch is one child. What barriers are for is in the litmus tests.
 *
 * Holds: a scope is claimed once, its record complete before (S3, S10, S11); who is done
 * because of an ancestor is so after that one (S5); nobody is live below who is done,
 * once who cancelled that has returned (S5, S6); when who waits goes on, the subtree is
 * done and no callback runs (S5), and he does go on; nothing is touched that was freed;
 * in the end everything is (S7).
 *
 * without LOOK: the look at the origin under the lock, when claiming
 * without RECORD: the record before the origin
 * without BORN: the look at the origin under the lock, when deriving
 * without CLOSE: the child being done before it is looked at
 * without LAST: unlisting a child as the last access to it
 * without ZERO: the look whether the last reference of a child is gone
 * without LEAVE: leaving the list with the last put
 * without COUNT: waiting for a child that is cancelled already
 * without BARE: counting children that others are at as something to deliver
 * without ONCE: counting the children taken, and the delivery off, in one
 * without REST: counting the children taken so far where the budget is spent
 * without NESTS: the walk over all lists
 * without SPREAD: a spread scope having something to deliver
 * without FLAG: the flag before the look, when waiting
 */
#define ROOT	0
#define P	1
#define C	2
#define D	3
#define N	4

bool held[8];			/* own.lock of n; at N + n that of its spread list */
byte list[8];			/* children, a bit each, by the lock */
byte home[N], ref[N], origin[N], who[N], busy[N];
bool on_spread[N];		/* node.nest */
bool listed[N];			/* sibling.pprev */
bool taken[N], spread[N], callback[N], inside[N], exists[N], freed[N];
bool waited[N], woken[N];	/* CTX_SYNC_WAITER, and what it brings about */
bool tired;			/* the budget was spent once */
chan deferred = [6] of { byte };

#define nest_of(n)	(home[n] + (on_spread[n] -> N : 0))
#define over(n)		(!exists[n] || !ref[n] || (origin[n] && !inside[n]))

#ifdef SPREAD
#define is_spread(n)	false
#else
#define is_spread(n)	spread[n]
#endif

#ifdef BARE
#define rests(n)	true
#else
#define rests(n)	(busy[n] == 1)
#endif

#define bare(n)		(!waited[n] && !is_spread(n) && !callback[n] && !list[n] && rests(n))

#ifdef NESTS
#define more_nests(n)	false
#else
#define more_nests(n)	(pos == 0 && spread[n])
#endif

inline touch(n)
{
	assert(!freed[n])
}

inline unlist(n)
{
	touch(n);
	list[nest_of(n)] = list[nest_of(n)] & ~(1 << n);
	listed[n] = false
}

inline publish(n, by)
{
	touch(n);
	assert(!origin[n]);
	assert(n == by || origin[home[n]] == by);
	origin[n] = by
}

/* ctx_put(), and the chain of what goes with it. */
inline put(n)
{
	at = n;
	do
	:: atomic {
		at == ROOT -> break
	   }
	:: atomic {
		at != ROOT ->
		touch(at);
		assert(ref[at]);
		ref[at]--;
		if
		:: ref[at] -> break
		:: else
		fi
	   }
#ifndef LEAVE
	   if
	   :: listed[at] ->
		atomic {
			!held[nest_of(at)] ->
			if
			:: listed[at] -> unlist(at)
			:: else
			fi
		}
	   :: !listed[at]
	   fi;
#endif
	   atomic { freed[at] = true; at = home[at] }
	od;
	at = 0
}

/* ctx_count_off() */
inline count_off(n, by)
{
	touch(n);
	assert(busy[n] >= by);
	busy[n] = busy[n] - (by);
	last = !busy[n]
}

/* ... and up. */
inline settle(n, by)
{
	atomic { at = n; count_off(at, by) };
	do
	:: atomic {
		last ->
		touch(at);
		if
		:: waited[at] -> woken[at] = true
		:: else
		fi;
		if
		:: taken[at] -> at = home[at]
		:: else -> break
		fi
	   };
	   atomic { count_off(at, 1) }
	:: atomic { !last -> break }
	od;
	at = 0
}

/* Under the lock of the list on which it stands. */
inline take_child()
{
#ifdef LAST
	atomic { unlist(child) };
#endif
#ifndef CLOSE
	atomic { publish(child, origin[n]) };
#endif
	atomic {
		!held[child] ->
		touch(child);
		if
		:: bare(child) -> busy[child] = 0
		:: else ->
			if
#ifdef ZERO
			:: true -> ref[child]++; walked = true
#else
			:: ref[child] -> ref[child]++; walked = true
			:: else
#endif
			fi
		fi
	};
#ifdef CLOSE
	atomic { publish(child, origin[n]) };
#endif
	atomic {
		if
		:: walked -> taken[child] = true; took++; work ! child
		:: else
		fi;
#ifndef LAST
		unlist(child);
#endif
		walked = false;
		child = 0
	}
}

/* What is in the queue, or leaves the rest of it to the worker. */
inline walk()
{
	do
	:: atomic {
		empty(work) -> break
	   }
	:: atomic {
		work ? n ->
		touch(n);
		if
		:: callback[n] -> inside[n] = true
		:: else
		fi
	   };
	   if
	   :: inside[n] -> atomic { inside[n] = false; callback[n] = false }
	   :: !inside[n]
	   fi;
	   do
	   :: atomic {
		may_tire && !tired ->
		tired = true;
#ifndef REST
		busy[n] = busy[n] + took;
#endif
		took = 0;
		/* The rest of the queue comes behind. */
		deferred ! n;
		n = 0;
		do
		:: work ? child -> deferred ! child
		:: empty(work) -> break
		od;
		child = 0;
		break
	      }
	   :: atomic {
		!held[n + pos * N] ->
		if
		:: list[n + pos * N] ->
			child = (list[n + pos * N] & 1 << C -> C : D);
			held[n + pos * N] = true
		:: else ->
			if
			:: more_nests(n) -> pos = 1
			:: else -> break
			fi
		fi
	      };
	      if
	      :: child ->
		take_child();
		held[n + pos * N] = false
	      :: else
	      fi
	   od;
	   pos = 0;
	   if
	   :: n ->
#ifdef ONCE
		settle(n, 1);
		atomic { busy[n] = busy[n] + took };
#else
		if
		:: took != 1 -> settle(n, 1 - took)
		:: else
		fi;
#endif
		put(n)
	   :: else
	   fi;
	   took = 0
	od
}

/* ctx_claim_self() */
inline claim(n)
{
	atomic {
		touch(n);
#ifdef LOOK
		if
		:: !origin[n] -> won = true
		:: else
		fi
	};
	if
	:: won -> atomic { !held[nest_of(n)] -> held[nest_of(n)] = true }
	:: else
	fi;
#else
		!held[nest_of(n)] ->
		if
		:: !origin[n] -> won = true; held[nest_of(n)] = true
		:: else
		fi
	};
#endif
	if
	:: won ->
#ifdef RECORD
		atomic { !held[n] -> held[n] = true; publish(n, n) };
		who[n] = _pid;
#else
		atomic { !held[n] -> held[n] = true; who[n] = _pid };
		atomic { publish(n, n) };
#endif
		atomic {
			if
			:: bare(n) -> busy[n] = 0
			:: else ->
				work ! n;
#ifndef COUNT
				if
				:: home[n] != ROOT ->
					taken[n] = true;
					assert(busy[home[n]]);
					busy[home[n]]++
				:: else
				fi
#endif
			fi
		};
		atomic { unlist(n); held[n] = false; held[nest_of(n)] = false }
	:: else
	fi
}

/* What follows if a scope that is held is seen done. */
inline look(n)
{
	touch(n);
	if
	:: origin[n] ->
		touch(origin[n]);
		assert(origin[origin[n]] == origin[n]);
		assert(who[origin[n]])
	:: else
	fi
}

/* @sync: ctx_cancel_sync(); @may_tire: with a budget; @later: ctx_cancel_async() */
proctype canceller(byte target; bool sync, may_tire, later)
{
	chan work = [3] of { byte };
	byte n, child, took, pos, at;
	bool last, walked, won;

	claim(target);
	atomic { look(target); assert(origin[target]) };
	if
	:: atomic {
		nempty(work) ->
		ref[target]++;
		if
		:: later -> work ? n; deferred ! n; n = 0
		:: else
		fi
	   };
	   walk()
	:: empty(work)
	fi;
	/* All that was there, but for what others are at. */
	assert(!won || later || tired ||
	       (target != P || !ref[C] || origin[C]) &&
	       (!exists[D] || home[D] != target || !ref[D] || origin[D]));
	if
	:: sync ->
#ifdef FLAG
		if
		:: busy[target] ->
			atomic { !held[target] -> waited[target] = true };
			woken[target]
		:: else
		fi;
#else
		atomic { !held[target] -> waited[target] = true };
		if
		:: busy[target] -> woken[target]; assert(!busy[target])
		:: !busy[target]
		fi;
#endif
		assert(over(C) && over(D) && !inside[target])
	:: else
	fi;
	put(target)
}

proctype holder(byte target)
{
	byte at;

	put(target)
}

proctype deriver(byte parent)
{
	byte at, seen;

	if
	:: true
	:: atomic {
		!held[parent] ->
		if
		:: !origin[parent] -> spread[parent] = true
		:: else
		fi
	   }
	fi;
	atomic {
		on_spread[D] = spread[parent];
		home[D] = parent;
		ref[D] = 1;
		busy[D] = 1;
		touch(parent);
		ref[parent]++;
#ifdef BORN
		seen = origin[parent]
#endif
	};
	atomic {
		!held[nest_of(D)] ->
#ifndef BORN
		seen = origin[parent];
#endif
		if
		:: seen -> busy[D] = 0; publish(D, seen)
		:: else -> list[nest_of(D)] = list[nest_of(D)] | 1 << D; listed[D] = true
		fi;
		exists[D] = true;
		seen = 0
	};
	atomic { look(D) };
	put(D);
	put(parent)
}

/* ctx_walk_deferred() */
active proctype worker()
{
	chan work = [3] of { byte };
	byte n, child, took, pos, at;
	bool last, walked;
	bool may_tire = false;

end:
	do
	:: atomic { deferred ? n -> work ! n };
	   walk()
	od
}

init {
	byte out;

	atomic {
		home[C] = P;
		list[ROOT] = 1 << P;
		list[P] = 1 << C;
		listed[P] = true;
		listed[C] = true;
		exists[P] = true;
		exists[C] = true;
		busy[P] = 1;
		busy[C] = 1;
		ref[P] = 1;
		ref[C] = 1;
		if
		:: callback[P] = true
		:: callback[C] = true
		fi;
		/* Three of the four. */
		if
		:: out = 1
		:: out = 2
		:: out = 3
		:: out = 4
		fi;
		if
		:: out != 1 -> ref[P]++; run canceller(P, true, false, false)
		:: else
		fi;
		if
		:: out != 2 -> ref[P]++; run canceller(P, false, true, false)
		:: out != 2 -> ref[P]++; run canceller(P, false, false, true)
		:: else
		fi;
		if
		:: out != 3 -> run canceller(C, false, false, false)
		:: else -> run holder(C)
		fi;
		if
		:: out != 4 -> ref[P]++; run deriver(P)
		:: out != 4 -> ref[C]++; run deriver(C)
		:: else
		fi
	};
	_nr_pr == 2 && empty(deferred);
	freed[P];
	assert(freed[C] && (out == 4 || freed[D]) && !list[ROOT])
}
