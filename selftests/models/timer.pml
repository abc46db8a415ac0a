// SPDX-License-Identifier: GPL-2.0
/*
 * The timer, which holds no reference, against derivation, cancellation and the last put.
 *
 * One derives a context with a deadline, and gives a second reference to another, who
 * may cancel; so may the maker. The home is cancelled. The timer may go off once it was
 * started. Both drop their references.
 *
 *	kmod/deadline.c	ctx_deadline_begin(), ctx_deadline_expire(), ctx_deadline_disarm()
 *	kmod/tree.c	ctx_scope_begin(), ctx_scope_begin_done(), ctx_scope_release()
 *	kmod/cancel.c	__ctx_cancel_scope(), ctx_claim_self(), ctx_claim_end(),
 *			ctx_take_child(), ctx_walk_scope()
 *
 * The hrtimer is armed, running or neither, which changes under its base's lock:
 * hrtimer_try_to_cancel() takes off one that is armed, and fails for one that is running.
 * The interrupt is an RCU reader. The scope's own.lock adds nothing here, and is left out.
 *
 * Holds: it is claimed once; when who cancelled it has returned it is done, and no timer
 * is armed (S8); what is done is not listed (S6, S7); it is freed once, neither listed,
 * nor armed, nor while the interrupt may look at it (S7).
 *
 * without GRACE: leaving the free to RCU if the timer runs
 * without ZERO: the look of the interrupt whether the last reference is gone
 * without DISARM: disarming with the last put
 * without CANCELLED: disarming with a cancellation
 * without BORN: disarming one that is done at birth
 * without START: the start of the timer before it is listed
 * without OWN: the look at the own origin when it is listed
 * without HOME: the look at the home's origin when it is listed
 * without UNLISTED: the look whether it is listed when it is claimed
 * without LEAVE: leaving the list with the last put
 */
bool held;		/* the lock of the home's list */
bool armed, running;
byte ref, origin;	/* 1: its own; 2: the home's */
bool home_done, listed, exists, doomed, freed;
bool over;		/* who won has disarmed it */

inline touch()
{
	assert(!freed)
}

inline unlist()
{
	touch();
	assert(listed);
	listed = false
}

/* Tells in @ticking whether it is just running. */
inline disarm()
{
	atomic {
		touch();
		ticking = running && !armed;
		armed = false
	}
}

inline free()
{
	assert(!freed && !armed && !listed);
	freed = true
}

inline put()
{
	atomic {
		touch();
		assert(ref);
		ref--;
		last = !ref
	};
	if
	:: last ->
#ifndef DISARM
		disarm();
#endif
#ifndef LEAVE
		if
		:: listed ->
			atomic {
				!held ->
				if
				:: listed -> unlist()
				:: else
				fi
			}
		:: !listed
		fi;
#endif
		if
#ifndef GRACE
		:: ticking -> doomed = true
#endif
		:: else -> atomic { free() }
		fi
	:: else
	fi
}

/* ctx_cancel_scope(), by the timer or not. */
inline cancel(by_timer)
{
	atomic {
		!held ->
		touch();
		if
		:: !origin -> held = true; won = true
		:: else
		fi
	};
	if
	:: won ->
		origin = 1;
		atomic {
#ifndef UNLISTED
			if
			:: listed -> unlist()
			:: else
			fi;
#else
			unlist();
#endif
			held = false
		};
#ifndef CANCELLED
		if
		:: !by_timer -> disarm(); ticking = false
		:: else
		fi;
#endif
		over = true
	:: else
	fi;
	won = false
}

inline use()
{
	if
	:: true
	:: true ->
		cancel(false);
		assert(origin)
	fi;
	assert(!over || !armed);
	put()
}

proctype other()
{
	bool last, ticking, won;

	use()
}

inline start()
{
	if
	:: !home_done -> armed = true
	:: home_done
	fi
}

inline enlist()
{
	atomic {
		!held ->
		if
#ifndef OWN
		:: origin
#endif
#ifndef HOME
		:: !origin && home_done -> origin = 2; born = true
#endif
		:: else -> listed = true
		fi;
		exists = true
	}
}

active proctype maker()
{
	bool last, ticking, won, born;

	ref = 1;
#ifndef START
	start();
#endif
	enlist();
#ifdef START
	start();
#endif
#ifndef BORN
	if
	:: born -> disarm(); ticking = false
	:: else
	fi;
#endif
	assert(!born || !armed);
	assert(!home_done || origin || listed);
	assert(!origin || !listed || held);
	atomic { ref++; run other() };
	use()
}

active proctype home()
{
	bool last, ticking, walked;

	home_done = true;
	atomic {
		!held ->
		if
		:: listed -> held = true
		:: else
		fi
	};
	if
	:: listed && held ->
		atomic { touch(); assert(!origin); origin = 2 };
		/* With a timer it is never bare. */
		atomic {
			touch();
			if
			:: ref -> ref++; walked = true
			:: else
			fi
		};
		atomic { unlist(); held = false }
	:: else
	fi;
	if
	:: walked -> disarm(); ticking = false; over = true; put()
	:: else
	fi
}

active proctype interrupt()
{
	bool last, ticking, won;

	if
	:: atomic { armed -> touch(); armed = false; running = true };
	   atomic {
		touch();
#ifndef ZERO
		if
		:: ref -> ref++; won = true
		:: else
		fi
#else
		ref++;
		won = true
#endif
	   };
	   if
	   :: won -> won = false; cancel(true); assert(origin); put()
	   :: else
	   fi;
	   atomic { touch(); running = false }
	:: freed
	:: atomic { exists && origin && !armed -> skip }
	fi
}

active proctype rcu()
{
end:
	doomed;
	atomic { !running -> free() }
}

init {
	atomic { freed -> assert(!ref && !listed && !armed) }
}
