// SPDX-License-Identifier: GPL-2.0
/*
 * A work item that is bound to a context, and may wait for its time.
 *
 * One queues it with a delay, and so may another, or without one, and its function once
 * again. The context is cancelled, or not. One cancels the item, perhaps first without
 * waiting, and then with; and frees it, if nobody else queues it any more.
 *
 *	kmod/work.c	ctx_work_queue(), ctx_work_queue_delayed(), ctx_work_start_watched(),
 *			ctx_work_hurry(), __ctx_work_run(), ctx_work_cancel(),
 *			ctx_work_cancel_sync()
 *	kmod/callback.c	ctx_callback_end(), ctx_callback_run(); who waits is in callback.pml
 *
 * Of the workqueue: who sets the pending bit arms the timer or puts the item on the list;
 * the worker clears it before the function is called; who cancels takes the item from the
 * timer or the list, or sets the bit if it is clear, and has it until it is over where he
 * waits.
 *
 * Holds: what was queued ends once: it is run, dropped or cancelled, and has a reference on
 * the context until then; when the walk is over no timer is armed, nor running; the item is
 * put on the list by who may; it is not touched once it was freed; in the end nothing is
 * registered nor queued.
 *
 * without TURN: registering the callback and starting the timer in one turn of the lock
 * without REGISTERED: the look whether the callback is registered
 * without UNDO: taking the callback off if the item was queued already
 * without BUSY: leaving the callback if the timer was started again
 * without RUNS: waiting for a timer that runs, before the callback is taken off
 * without OFF: taking the callback off with the item
 * without TIMER: the look whether the timer was pending, in the callback
 * without SPIN: waiting for a timer that runs, in the callback
 * without WAIT: waiting for a callback that runs
 * without AGAIN: the look at the callback when the item was not pending
 */
bool held;			/* own.lock */
bool done;			/* the origin */
bool pending, armed, ticking, on_list, working;
bool registered;		/* cb.ctx */
mtype = { NONE, QUEUED, RESERVED, RUNNING };
mtype callback = NONE;
byte refs;			/* of what is queued */
byte queuers;
bool again, freed;

inline touch()
{
	assert(!freed)
}

inline to_list()
{
	touch();
	assert(pending && !on_list);
	on_list = true
}

/* The reference of what was queued, where that ends. */
inline let_go()
{
	atomic { assert(refs); refs-- }
}

inline queue_now()
{
	if
	:: done
	:: !done ->
		refs++;
		atomic { touch(); won = !pending; pending = true };
		if
		:: won -> atomic { to_list() }
		:: else -> let_go()
		fi
	fi
}

inline queue_delayed()
{
	if
	:: done
	:: !done ->
		refs++;
		atomic {
			!held ->
			touch();
			held = true;
			won = !done;
#ifndef REGISTERED
			won = won && !registered;
#endif
			if
			:: won ->
				assert(callback == NONE);
				callback = QUEUED;
				registered = true
			:: else
			fi
		};
#ifdef TURN
		held = false;
#endif
		if
		:: won ->
			atomic { touch(); won = !pending; pending = true };
			if
			:: won -> atomic { touch(); armed = true }
			:: else ->
#ifndef UNDO
				atomic { touch(); callback = NONE; registered = false };
#endif
				let_go()
			fi
		:: else -> let_go()
		fi;
#ifndef TURN
		held = false
#endif
	fi;
	won = false
}

/* ctx_callback_end(). The timer is not started but under own.lock, which this has. */
inline callback_end(sync)
{
	atomic { !held -> held = true };
	atomic {
#ifndef RUNS
		armed || !ticking ->
#endif
		touch();
		if
#ifndef BUSY
		:: armed
#endif
		:: else ->
			if
			:: callback == QUEUED || callback == RESERVED ->
				callback = NONE;
				registered = false
			:: callback == RUNNING -> waits = sync
			:: else
			fi
		fi;
		held = false
	};
#ifndef WAIT
	if
	:: waits -> callback != RUNNING
	:: else
	fi;
#endif
	waits = false
}

proctype queuer(bool delayed)
{
	bool won;

	if
	:: delayed -> queue_delayed()
	:: else -> queue_now()
	fi;
	queuers--
}

active proctype timer()
{
end:
	do
	:: atomic { armed -> touch(); armed = false; ticking = true };
	   atomic { to_list(); ticking = false }
	od
}

active proctype worker()
{
	bool won, waits;

end:
	do
	:: atomic { on_list -> touch(); on_list = false; working = true };
	   atomic { touch(); pending = false };
#ifndef OFF
	   callback_end(true);
#endif
	   if
	   :: done
	   :: !again -> again = true; queue_delayed()
	   :: true
	   fi;
	   let_go();
	   working = false
	od
}

/* The claim, and the run of the callback, which is ctx_work_hurry(). */
proctype walk()
{
	bool was;

	done = true;
	atomic {
		!held ->
		if
		:: callback == QUEUED -> callback = RESERVED
		:: else
		fi
	};
	atomic {
		if
		:: callback == RESERVED -> touch(); callback = RUNNING; registered = false
		:: else
		fi
	};
	if
	:: callback == RUNNING ->
		atomic {
#ifndef SPIN
			!ticking ->
#endif
			touch();
			was = armed;
			armed = false
		};
		if
#ifdef TIMER
		:: true -> atomic { to_list() }
#else
		:: was -> atomic { to_list() }
		:: else
#endif
		fi;
		callback = NONE
	:: else
	fi;
	assert(!armed && !ticking)
}

proctype canceller()
{
	bool taken, waits, frees, sync;

	if
	:: sync = true
	:: true
	fi;
next:
	frees = sync && !queuers;
	if
	:: atomic { armed -> touch(); armed = false; taken = true }
	:: atomic { !pending -> touch(); pending = true }
	:: atomic { on_list -> touch(); on_list = false; taken = true }
	fi;
	if
	:: sync -> !working
	:: else
	fi;
	atomic { touch(); pending = false };
#ifdef AGAIN
	if
	:: taken -> callback_end(sync)
	:: else
	fi;
#else
	if
	:: taken || sync -> callback_end(sync)
	:: else
	fi;
#endif
	if
	:: taken -> let_go(); taken = false
	:: else
	fi;
	if
	:: !sync -> sync = true; goto next
	:: !sync
	:: frees ->
		assert(!armed && !on_list && !pending && !registered && callback == NONE);
		freed = true
	:: sync && !frees
	fi
}

init {
	atomic {
		queuers = 2;
		run queuer(true);
		if
		:: run queuer(true)
		:: run queuer(false)
		fi;
		if
		:: run walk()
		:: true
		fi;
		run canceller()
	};
	_nr_pr == 3 && !armed && !ticking && !on_list && !working;
	assert(!refs && !pending && !registered && callback == NONE)
}
