// SPDX-License-Identifier: GPL-2.0
/*
 * Links never close a cycle, without a lock in common.
 *
 * Either two link two contexts to each other, or three link three in a ring; or one
 * links a context to another, while somebody links one that was just derived from the
 * former. Each has a reference on both that he links, and drops them, or shares one with
 * another; one undoes what he did, so that a context may be fresh though it was used.
 *
 *	kmod/link.c	ctx_link(), ctx_is_fresh(), ctx_is_sole(), ctx_link_not(),
 *			ctx_unlink()
 *	kmod/internal.h	ctx_scope_init(), ctx_mark_used()
 *
 * The barrier between the mark and the look is in link.litmus. Spread scopes are left out.
 *
 * Holds: not all of what would close a cycle is there at once (S15).
 *
 * without MARK: the mark before the look
 * without HOLD: the reference before the look
 * without LOOK: the look after the mark
 * without SOLE: the look at the references
 * without CHILD: the mark when deriving
 */
#define N	3

bool used[N], child;
byte ref[N];
bool leads[N];		/* to n: from the one before it in the ring */
byte ring;

inline is_fresh(n, result)
{
	result = !used[n];
	if
#ifndef SOLE
	:: !result -> result = ref[n] == 1
#else
	:: !result -> result = true
#endif
	:: else
	fi
}

#define whole()		(leads[0] && leads[1] && (ring == 2 || leads[2]))

inline lead(n)
{
	atomic { leads[n] = true; assert(!whole()) }
}

/* ctx_link(), for the caller's references on both: from @other to @n. */
inline link(n, other)
{
	if
	:: !used[other] ->
		is_fresh(n, fresh);
#ifndef MARK
		if
		:: fresh -> used[other] = true
		:: else
		fi
#endif
	:: else -> fresh = true
	fi;
	if
	:: fresh ->
#ifndef HOLD
		ref[other]++;
#endif
#ifndef LOOK
		is_fresh(n, fresh);
#endif
#ifdef HOLD
		ref[other]++;
#endif
#ifdef MARK
		used[other] = true;
#endif
		if
		:: fresh -> lead(n)
		:: else -> ref[other]--
		fi
	:: else
	fi
}

inline unlink(n, other)
{
	atomic { leads[n] = false };
	ref[other]--
}

proctype linker(byte n, other; bool undo, shared)
{
	bool fresh;

	link(n, other);
	if
	:: fresh && undo -> unlink(n, other)
	:: else
	fi;
	/* What he has goes, but for what his link keeps. */
	if
	:: shared
	:: else -> ref[n]--; ref[other]--
	fi
}

/* From @n; there is nobody who knows the child before it is there. */
proctype deriver(byte n, other)
{
#ifndef CHILD
	used[n] = true;
#endif
	ref[n]++;
	lead(other);
	child = true;
	ref[n]--
}

proctype late_linker(byte n, other)
{
	bool fresh;

	child;
	link(n, other);
	ref[n]--;
	ref[other]--
}

init {
	atomic {
		if
		:: ring = 2;
		   ref[0] = 2;
		   ref[1] = 2;
		   run linker(0, 1, false, false);
		   run linker(1, 0, false, false)
		:: ring = 2;
		   ref[0] = 1;
		   ref[1] = 1;
		   run linker(0, 1, false, true);
		   run linker(1, 0, false, true)
		:: ring = 3;
		   ref[0] = 2;
		   ref[1] = 2;
		   ref[2] = 2;
		   run linker(0, 2, false, false);
		   run linker(1, 0, false, false);
		   run linker(2, 1, false, false)
		:: ring = 2;
		   ref[0] = 3;
		   ref[1] = 3;
		   /* The first two are over before the third begins, or not. */
		   run linker(0, 1, false, false);
		   run linker(1, 0, true, false);
		   run linker(1, 0, false, false)
		:: ring = 3;
		   /* 1 is derived from 0, 2 is linked to it, and 0 to 2. */
		   ref[0] = 2;
		   ref[1] = 2;
		   ref[2] = 2;
		   run deriver(0, 1);
		   run linker(0, 2, false, false);
		   run late_linker(2, 1)
		fi
	}
}
