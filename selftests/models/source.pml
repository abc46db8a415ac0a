// SPDX-License-Identifier: GPL-2.0
/*
 * A source that fires, against being asked and detached.
 *
 * A file is woken twice, and ready the first time or the second; or a source that is not
 * asked fires twice. A worker takes it off its queue, asks, and cancels the
 * context. Somebody detaches the source, at any time or once the context is done, and
 * frees it.
 *
 *	kmod/source.c	ctx_source_queue(), ctx_fired_work(), ctx_fired_next(),
 *			ctx_fired_ask(), ctx_shot_take(), ctx_source_withdraw(),
 *			ctx_source_detach()
 *
 * What the lock of the queue makes one is a step. Detaching first takes the source off
 * what it watches, which waits for a wake-up there. The worker is queued by each that
 * fires, and takes as many as there were.
 *
 * Holds: on return from detaching, the context is done by the source, or never will be
 * (S15); the source is not touched any more; a ready file ends the context, unless it was
 * detached.
 *
 * without ASKED: taking it from the worker that asks
 * without WOKEN: queueing it again while it is asked
 * without TWICE: taking it off the queue again if it is ready
 * without TAKEN: taking it off the queue when it is detached
 * without SHOT: cancelling, who detaches, what the worker is about to cancel
 * without COPY: keeping off it once the copy was made
 * without OWN: the file's reference of who asks
 */
mtype = { ARMED, QUEUED, ASKING, FIRED };
mtype state = ARMED;
byte on_queue;			/* how often */
bool asked, go;			/* fired->asked; the worker is queued */
bool hooked = true, waking;
bool hint, ready;		/* it is a file; that is ready */
byte file = 1;			/* references */
bool done, safe, freed;		/* safe: detached without having fired */

inline touch()
{
	assert(!freed)
}

inline cancel()
{
	atomic { assert(!safe); done = true }
}

inline withdraw()
{
	atomic {
		touch();
		shot = state == FIRED;
#ifndef TAKEN
		if
		:: state == QUEUED -> on_queue--
		:: else
		fi;
#endif
#ifndef ASKED
		asked = false;
#endif
		state = FIRED
	}
}

proctype firer()
{
	bool won;
	byte n;

	do
	:: n < 2 ->
		if
		:: ready = true
		:: !n
		fi;
		n++;
		atomic {
			if
			:: hooked -> waking = true
			:: else -> break
			fi
		};
		atomic {
			touch();
			if
			:: state == ARMED -> won = true
#ifndef WOKEN
			:: state == ASKING -> won = true
#endif
			:: else
			fi;
			if
			:: won -> state = QUEUED; on_queue++
			:: else
			fi
		};
		waking = false;
		if
		:: won -> go = true; won = false
		:: else
		fi
	:: else -> break
	od
}

active proctype worker()
{
	bool shoots, asks, is_ready;
	byte left;

end:
	do
	:: atomic { go -> go = false; left = on_queue };
	   do
	   :: atomic { !left -> break }
	   :: atomic {
		left ->
		left--;
		if
		:: on_queue ->
			touch();
			on_queue--;
			if
			:: hint ->
				asks = true;
				state = ASKING;
				asked = true;
#ifndef OWN
				assert(file);
				file++
#endif
			:: else -> state = FIRED; shoots = true
			fi
		:: else
		fi
	      };
	      if
	      :: asks ->
		asks = false;
		atomic { assert(file); is_ready = ready };
#ifndef OWN
		file--;
#endif
		atomic {
			if
			:: asked ->
				touch();
				asked = false;
				if
				:: state == QUEUED && is_ready ->
#ifndef TWICE
					on_queue--
#endif
				:: state != QUEUED && !is_ready -> state = ARMED
				:: else
				fi;
				if
				:: is_ready -> state = FIRED; shoots = true
				:: else
				fi
			:: else
			fi;
			is_ready = false
		}
	      :: else
	      fi;
	      if
	      :: shoots ->
#ifdef COPY
		atomic { touch() };
#endif
		shoots = false;
		cancel()
	      :: else
	      fi
	   od
	od
}

proctype detacher(bool waits)
{
	bool shot;

	if
	:: waits -> done
	:: else
	fi;
	atomic { !waking -> hooked = false };
	if
	:: state == ARMED
	:: else -> withdraw()
	fi;
	file--;
	if
	:: shot ->
#ifndef SHOT
		cancel();
#endif
		assert(done)
	:: else -> atomic { assert(!done); safe = true }
	fi;
	freed = true
}

init {
	atomic {
		if
		:: hint = true
		:: true
		fi;
		if
		:: run detacher(false)
		:: run detacher(true)
		fi;
		run firer()
	};
	freed;
	!file;
	assert(!on_queue && !asked)
}
