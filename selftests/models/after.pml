// SPDX-License-Identifier: GPL-2.0
/*
 * An after-func that is queued by its context's end, against stopping it.
 *
 * The context is cancelled, and somebody waits until all of it has come to rest. Another
 * stops the after-func, waiting or not, or leaves it alone, and frees it once it is over.
 *
 *	kmod/after.c	ctx_after_func(), ctx_after_fire(), ctx_after_work(),
 *			ctx_after_pin(), ctx_after_unqueue(), ctx_after_stop(),
 *			ctx_after_is_over(), ctx_after_stop_sync()
 *
 * What ctx_after_lock makes one is a step. Of the workqueue: queueing does nothing where
 * the pending bit is set, and who cancels sets it for a moment. The callback is that of
 * callback.pml; the wake-up of who waits is left out.
 *
 * Holds: it runs once, or was stopped, if the context is done (S13); when the context has
 * settled it does not run, nor will (S5); it is not touched once it is over; its reference
 * on the context is dropped once.
 *
 * without LOCK: the flag and the queueing under one lock
 * without LOOK: the look at the flag before the work is cancelled
 * without COUNT: counting what was queued as business of the context
 * without PIN: the reference of who stops
 * without BEGUN: the look whether it has begun, when it is pinned
 * without OVER: waiting until it is over
 */
bool registered = true, firing, queued, counted;
bool pending, on_list, begun, running, ran, stopped, freed;
bool settled, prevented;
byte busy = 1;
byte ref = 2;		/* the after-func's, and that of who cancels */

inline touch()
{
	assert(!freed)
}

inline put()
{
	atomic { assert(ref); ref-- }
}

inline settle()
{
	atomic { assert(busy && ref); busy--; settled = !busy }
}

proctype walk()
{
	atomic {
		if
		:: registered -> touch(); registered = false; firing = true
		:: else
		fi
	};
	if
	:: firing ->
		atomic {
			touch();
			counted = true;
#ifndef COUNT
			busy++
#endif
		};
#ifdef LOCK
		queued = true;
#endif
		atomic {
			touch();
			queued = true;
			if
			:: !pending -> pending = true; on_list = true
			:: else
			fi
		};
		firing = false
	:: else
	fi;
	atomic { busy--; settled = !busy };
	settled;
	assert(!running && (ran || prevented));
	put()
}

active proctype worker()
{
	bool count;

end:
	do
	:: atomic { on_list -> touch(); on_list = false };
	   atomic { touch(); pending = false };
	   count = counted;
	   atomic { touch(); begun = true; running = true };
	   atomic { assert(!ran && !prevented); ran = true };
	   running = false;
#ifndef COUNT
	   if
	   :: count -> settle()
	   :: else
	   fi;
#endif
	   put()
	od
}

proctype stopper(bool sync)
{
	bool pinned, taken;

	atomic {
		touch();
#ifdef BEGUN
		pinned = true;
#else
		pinned = !begun && !stopped;
#endif
#ifndef PIN
		if
		:: pinned -> assert(ref); ref++
		:: else
		fi
#endif
	};
	if
	:: pinned ->
		atomic {
			assert(ref);
			touch();
			if
			:: registered -> registered = false; taken = true; prevented = true
			:: else
			fi
		};
#ifdef LOOK
		if
		:: !taken ->
#else
		if
		:: !taken && queued ->
#endif
			if
			:: atomic { on_list -> touch(); on_list = false; taken = true; prevented = true }
			:: atomic { !pending -> touch(); pending = true }
			fi;
			pending = false
		:: else
		fi;
		if
		:: taken ->
			stopped = true;
#ifndef COUNT
			if
			:: counted -> settle()
			:: else
			fi;
#endif
			put()
		:: else
		fi;
#ifndef PIN
		put()
#endif
	:: else
	fi;
	if
	:: stopped
	:: !stopped && sync ->
#ifndef OVER
		begun && !running
#endif
	:: else -> ran && !running
	fi;
	assert(stopped != ran);
	freed = true
}

init {
	atomic {
		run walk();
		if
		:: run stopper(true)
		:: run stopper(false)
		fi
	};
	_nr_pr == 2 && !pending && !ref
}
