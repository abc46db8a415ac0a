// SPDX-License-Identifier: GPL-2.0
/*
 * A link that fires, against unlinking, the last put, and another end of what was linked.
 *
 * One links a context to another, which somebody cancels. Then he unlinks it, or waits
 * until it is done, or neither, and drops his references; the storage is his again once it
 * was unlinked, or the context is gone. A third has a reference on the context, too, and
 * may cancel it.
 *
 *	kmod/link.c	ctx_link(), ctx_link_attach(), ctx_link_not(), ctx_unlink(),
 *			ctx_wait_followed(), ctx_link_pop()
 *	kmod/cancel.c	ctx_follow(), ctx_take_link(), ctx_claim_like(), ctx_cancel_like()
 *	kmod/tree.c	ctx_release_linked(), ctx_drop_links()
 *
 * own.lock of the other, and the lock of the list where the context is, each make one step
 * of what is done under them, but for claiming, which is seen without. The walk over what
 * was linked is not here.
 *
 * Holds: the context is done once the other is, unless it was unlinked; after unlinking it
 * is done by the link, or never will be (S15); its origin is there as long as it is; the
 * storage is not touched once it is the caller's; in the end all is freed.
 *
 * without ORIGIN: the look at the origin of the other under its lock
 * without LATE: following an other that is done already
 * without HOLD: the reference on what was followed
 * without LINK: the reference of a link on the other
 * without ZERO: the look whether the last reference of what is linked is gone
 * without WAIT: waiting for a link that has fired
 * without POP: leaving the other's callbacks with the last put
 * without CLAIM: the look whether it is done already, when it is claimed
 */
bool held;			/* the lock of the context's list */
byte other_ref, ref;		/* of the other; of the context */
bool other_done, other_freed;
byte origin;			/* of the context: 1: its own; 2: the other's */
bool freed;
bool queued, listed;		/* the link: among the callbacks; among the links */
bool unlinked, returned;	/* the latter: the storage is the caller's */

inline touch()
{
	assert(!freed)
}

inline touch_link()
{
	assert(!returned)
}

inline put_other()
{
	atomic {
		assert(!other_freed && other_ref);
		other_ref--;
		if
		:: !other_ref -> assert(!queued); other_freed = true
		:: else
		fi
	}
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
	:: last && listed ->
		atomic { touch_link(); listed = false };
#ifndef POP
		/* Under the other's own.lock. */
		atomic { assert(!other_freed); queued = false };
#endif
#ifndef LINK
		put_other()
#endif
	:: else
	fi;
	if
	:: last ->
		freed = true;
#ifndef HOLD
		if
		:: origin == 2 -> put_other()
		:: else
		fi
#endif
	:: else
	fi
}

/* ctx_claim_like() */
inline follow()
{
	atomic { !held -> held = true; touch(); won = !origin };
#ifdef CLAIM
	won = true;
#endif
	if
	:: won ->
#ifndef HOLD
		atomic { assert(!other_freed && other_ref); other_ref++ };
#endif
		atomic { assert(!origin); origin = 2 }
	:: else
	fi;
	held = false
}

inline look()
{
	atomic {
		touch();
		assert(origin != 2 || other_done && !other_freed)
	}
}

proctype linker()
{
	bool won, last, fired, waits, unlinks, early;

#ifndef LINK
	other_ref++;
#endif
#ifdef ORIGIN
	early = other_done;
#endif
	/* Under the other's own.lock. */
	atomic {
		assert(!other_freed);
#ifndef ORIGIN
		early = other_done;
#endif
		if
		:: !early && !origin -> listed = true; queued = true
		:: else -> unlinked = true
		fi
	};
	if
	:: unlinked ->
#ifndef LATE
		if
		:: other_done -> follow()
		:: else
		fi;
#endif
#ifndef LINK
		put_other();
#endif
		returned = true
	:: else ->
		if
		:: unlinks = true
		:: waits = true
		:: true
		fi
	fi;
	look();
	if
	:: waits -> origin
	:: unlinks ->
		/* Under the other's own.lock. */
		atomic {
			assert(!other_freed);
			fired = !queued;
			queued = false;
			listed = false;
			unlinked = true
		};
#ifndef WAIT
		if
		:: fired -> origin
		:: else
		fi;
#endif
#ifndef LINK
		put_other();
#endif
		assert(!fired || origin);
		returned = true
	:: unlinked && other_done && !unlinks -> assert(origin)
	:: else
	fi;
	look();
	put();
	put_other();
	freed;
	returned = true
}

proctype canceller()
{
	bool won, last, got;

	other_done = true;
	/* Under the other's own.lock. */
	atomic {
		assert(!other_freed);
		if
		:: queued ->
			touch_link();
			queued = false;
#ifdef ZERO
			got = true;
			ref++
#else
			if
			:: ref -> ref++; got = true
			:: else
			fi
#endif
		:: else
		fi
	};
	if
	:: got -> follow(); put()
	:: else
	fi;
	put_other()
}

proctype third()
{
	bool last;

	if
	:: true
	:: atomic {
		!held ->
		touch();
		if
		:: !origin -> origin = 1
		:: else
		fi
	   }
	fi;
	look();
	put()
}

init {
	atomic {
		ref = 2;
		other_ref = 2;
		run linker();
		run canceller();
		run third()
	};
	_nr_pr == 1;
	assert(freed && other_freed)
}
