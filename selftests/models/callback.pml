// SPDX-License-Identifier: GPL-2.0
/*
 * The run of callbacks when a context is cancelled, against adding and removing them.
 *
 * One of three:
 *
 *	Two tasks add a callback to one context, remove it, waiting, and free it; from
 *	inside each may be removed as well, by itself.
 *	Two callbacks, of one context or of two, remove each other, without waiting.
 *	A callback frees itself, another takes its turn.
 *
 *	kmod/callback.c	ctx_callbacks_run(), ctx_callback_run(), ctx_wake_removers(),
 *			ctx_callback_reserve_next(), ctx_callback_add(),
 *			ctx_callback_take(), ctx_callback_revoke(), ctx_callback_catch(),
 *			ctx_callback_remove(), ctx_callback_remove_sync()
 *	kmod/cancel.c	ctx_close()
 *
 * What own.lock makes one is a step; what is done without it, each exchange and look, is
 * one of its own. wait_var_event() queues its task before each look but the first, and a
 * wake-up finds who is queued. Links in the queue are left out, and the budget: whoever
 * goes on does so after who went before.
 *
 * Holds: what was added runs once or was removed, not both (S12); what was removed never
 * runs; when who waits goes on, it does not run and is not touched any more, and he does
 * go on; nor is it touched after its function has begun.
 *
 * without ADD: the look at the origin under the lock, when adding
 * without RUN: the exchange that takes what is reserved, when it is run
 * without REVOKE: the exchange that takes what is reserved, when it is removed
 * without BEGUN: leaving a callback alone that has begun
 * without LOOK: the look at what runs, when removing
 * without WAIT: waiting for one that runs
 * without FLAG: the flag that tells that somebody waits
 * without AGAIN: the look again once queued for the wake-up
 * without SELF: going on, inside the callback itself
 * without WAKE: the wake-up
 */
#define NONE	0
#define RESERVED	4

bool held[2], origin[2];
byte queue[2];		/* a bit for each callback */
byte running[2];	/* callback + 1, perhaps RESERVED */
bool flag[2];		/* CTX_RUN_WAITER */
bool queued[2];		/* the task that waits for the callback: for the wake-up */
bool registered[2];	/* cb->ctx */
bool inside[2], ran[2], removed[2], freed[2], added[2];
byte on[2];		/* its context */
bool frees, mutual, selfish;

inline touch(c)
{
	assert(!freed[c])
}

/* ctx_callback_take(), under own.lock. Gives REMOVED, NOT_THERE or RUNNING in @result. */
mtype = { REMOVED, NOT_THERE, RUNNING };

inline take(s, c, result)
{
	touch(c);
	if
#ifndef LOOK
	:: (running[s] & 3) == c + 1 ->
		if
		:: running[s] & RESERVED ->
			running[s] = NONE;
			registered[c] = false;
			assert(!removed[c]);
			removed[c] = true;
			result = REMOVED
		:: else -> result = RUNNING
		fi
#endif
	:: else ->
		if
		:: registered[c] ->
			queue[s] = queue[s] & ~(1 << c);
			registered[c] = false;
			assert(!removed[c]);
			removed[c] = true;
			result = REMOVED
		:: else -> result = NOT_THERE
		fi
	fi
}

#ifdef REVOKE
/* Looks, and then writes: two steps, in which the walk may begin. */
inline catch(s, c, result)
{
	atomic { !held[s] -> held[s] = true };
	if
	:: running[s] == c + 1 + RESERVED ->
		atomic {
			running[s] = NONE;
			registered[c] = false;
			removed[c] = true;
			result = REMOVED
		}
	:: else ->
		atomic { take(s, c, result) }
	fi;
	atomic {
		if
		:: result == RUNNING -> flag[s] = true
		:: else
		fi;
		held[s] = false
	}
}
#else
inline catch(s, c, result)
{
	atomic {
		!held[s] ->
		take(s, c, result);
#ifndef FLAG
		if
		:: result == RUNNING -> flag[s] = true
		:: else
		fi
#endif
	}
}
#endif

inline reserve(s)
{
	if
	:: queue[s] ->
		if
		:: queue[s] & 1 -> running[s] = 1 + RESERVED; queue[s] = queue[s] & ~1
		:: else -> running[s] = 2 + RESERVED; queue[s] = queue[s] & ~2
		fi
	:: else
	fi
}

proctype walk(byte s)
{
	byte c, r, o, t;
	mtype result;

	origin[s] = true;
	atomic { !held[s] -> reserve(s) };
	do
	:: atomic {
		r = running[s];
		if
		:: r & RESERVED -> c = (r & 3) - 1
		:: else
		fi
	   };
	   if
	   :: r & RESERVED ->
#ifdef RUN
		running[s] = c + 1;
#else
		atomic {
			if
			:: running[s] == r -> running[s] = c + 1
			:: else -> r = 0
			fi
		};
#endif
		if
		:: r ->
			atomic {
				touch(c);
				registered[c] = false;
				assert(!ran[c] && !removed[c]);
				ran[c] = true;
				inside[c] = true
			};
			if
			:: mutual -> o = 1 - c; t = on[o]; atomic { !held[t] -> take(t, o, result) }
			:: selfish ->
				catch(s, c, result);
#ifdef SELF
				if
				:: result == RUNNING -> running[s] == NONE
				:: else
				fi
#endif
				assert(result == RUNNING || result == NOT_THERE)
			:: frees -> freed[c] = true
			:: else
			fi;
			atomic {
				inside[c] = false;
#ifdef BEGUN
				touch(c)
#endif
			};
			running[s] = NONE;
#ifndef WAKE
			if
			:: flag[s] ->
				atomic { !held[s] -> flag[s] = false };
				atomic {
					if
					:: on[0] == s -> queued[0] = false
					:: else
					fi;
					if
					:: on[1] == s -> queued[1] = false
					:: else
					fi
				}
			:: else
			fi
#endif
		:: else
		fi
	   :: else
	   fi;
	   if
	   :: !queue[s] -> break
	   :: queue[s]
	   fi;
	   atomic { !held[s] -> reserve(s) }
	od
}

/* Adds, removes and frees, as ctx_wait() does. */
proctype user(byte s, c)
{
	mtype result;
	bool late, waits;

#ifdef ADD
	late = origin[s];
#endif
	atomic {
		!held[s] ->
#ifndef ADD
		late = origin[s];
#endif
		if
		:: late
		:: else ->
			registered[c] = true;
			added[c] = true;
			queue[s] = queue[s] | 1 << c
		fi
	};
	if
	:: waits = true
	:: true
	fi;
	late || ran[c] || !waits;
	catch(s, c, result);
#ifndef WAIT
	if
	:: result == RUNNING ->
		do
		:: queued[c] = true;
#ifndef AGAIN
		   catch(s, c, result);
#endif
		   if
		   :: result != RUNNING -> queued[c] = false; break
		   :: result == RUNNING ->
			!queued[c];
#ifdef AGAIN
			catch(s, c, result)
#endif
		   fi
		od
	:: else
	fi;
#endif
	assert(!inside[c] && (!added[c] || ran[c] != removed[c]));
	freed[c] = true
}

inline register(c, s)
{
	on[c] = s;
	registered[c] = true;
	added[c] = true;
	queue[s] = queue[s] | 1 << c
}

init {
	atomic {
		if
		:: run user(0, 0); run user(0, 1); run walk(0)
		:: selfish = true; run user(0, 0); run user(0, 1); run walk(0)
		:: mutual = true; register(0, 0); register(1, 1); run walk(0); run walk(1)
		:: mutual = true; register(0, 0); register(1, 0); run walk(0)
		:: frees = true; register(0, 0); register(1, 0); run walk(0)
		fi
	};
	_nr_pr == 1;
	assert(!queue[0] && !queue[1] && !registered[0] && !registered[1]);
	assert(!added[0] || ran[0] != removed[0]);
	assert(!added[1] || ran[1] != removed[1])
}
