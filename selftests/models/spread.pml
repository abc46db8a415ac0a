// SPDX-License-Identifier: GPL-2.0
/*
 * The references that children hold on a spread scope, counted at several lists.
 *
 * One has a reference on the scope itself, spreads it, and drops it. Two have one on a
 * child each, and with that may derive another from the scope, for which they need no
 * reference of their own while they have the child's; or take one on the scope and drop
 * it. Then they put what they have.
 *
 *	kmod/spread.c	ctx_spread_out(), ctx_join_home(), ctx_spread_drop(),
 *			ctx_spread_fold()
 *	kmod/internal.h	ctx_drop()
 *	kmod/tree.c	ctx_drop_parent(), ctx_scope_release()
 *
 * Each atomic operation is a step. CTX_SPREAD_BIAS and CTX_FOLDED are as much larger
 * than the counts here as they are there. The grace period waits for each reader in turn.
 *
 * Holds: the last reference is seen to go, once, when nobody has one any more; no count
 * is raised from 0; the lists are there while somebody folds.
 *
 * without ONCE: one only who folds
 * without LISTS: the lists turning negative
 * without JOIN: the look at that, when joining
 * without DROP: the look at that, when dropping
 * without BIAS: the bias while the lists are used
 * without GRACE: leaving the free to RCU
 */
#define FOLDED	-50
#ifdef BIAS
#define CTX_BIAS	0
#else
#define CTX_BIAS	50
#endif

short own;
short refs[2];
bool spread, folded, released, freed;
bool reading[3];
byte holders;		/* what there really is */

inline touch()
{
	assert(!freed)
}

/* ctx_hold() */
inline hold()
{
	atomic { touch(); assert(own > 0); own++; holders++ }
}

/* ctx_drop(), an RCU reader, and what follows if that was the last. */
inline drop()
{
	reading[me] = true;
	atomic {
		touch();
		old = own;
		own--;
		assert(own >= 0);
		holders--;
		last = !own
	};
	if
	:: spread && old == CTX_BIAS + 1 ->
		fold()
	:: else
	fi;
	atomic {
		reading[me] = false;
		if
		:: last ->
			assert(!holders && !released);
			released = true
		:: else
		fi;
		old = 0;
		last = false
	}
}

inline fold()
{
	atomic {
		touch();
		old = folded;
		folded = true
	};
#ifdef ONCE
	old = 0;
#endif
	if
	:: old -> last = false
	:: else ->
		sum = 0;
		i = 0;
		do
		:: i < 2 ->
			atomic {
				touch();
				sum = sum + refs[i];
#ifdef LISTS
				refs[i] = 0;
#else
				refs[i] = FOLDED;
#endif
				i++
			}
		:: else -> break
		od;
		atomic {
			touch();
			own = own - (CTX_BIAS - sum);
			last = !own;
			i = 0;
			sum = 0
		}
	fi
}

/* A new child's reference, for whom @list tells where it is to be counted, 2: nowhere. */
inline join(list)
{
	touch();
	if
	:: spread ->
		/* By the CPU. */
		if
		:: list = 0
		:: list = 1
		fi;
		atomic {
			touch();
			refs[list]++;
#ifdef JOIN
			i = 1;
#else
			i = refs[list] > 0;
#endif
			if
			:: i -> holders++
			:: else
			fi
		};
		if
		:: i -> i = 0
		:: else -> hold()
		fi
	:: !spread -> list = 2; hold()
	fi
}

/* ctx_drop_parent() of a child that goes. */
inline leave(list)
{
	i = 0;
	if
	:: list < 2 ->
		atomic {
			touch();
			refs[list]--;
#ifdef DROP
			i = 1;
#else
			i = refs[list] >= 0;
#endif
			if
			:: i -> holders--
			:: else
			fi
		}
	:: else
	fi;
	if
	:: i -> i = 0
	:: else -> drop()
	fi
}

proctype holder(byte me)
{
	short old, sum;
	byte i, child;
	bool last;

	if
	:: true
	:: atomic { own = own + CTX_BIAS; spread = true };
	   join(child);
	   if
	   :: true -> leave(child); drop()
	   :: true -> drop(); leave(child)
	   fi;
	   goto done
	fi;
	drop();
done:	skip
}

proctype descendant(byte me)
{
	short old, sum;
	byte i, child, next;
	bool last;

	join(child);
	/* What keeps it until here is another's. */
	drop();
	if
	:: true
	:: hold(); drop()
	:: join(next); leave(child); child = next
	fi;
	leave(child)
}

active proctype rcu()
{
	released;
#ifndef GRACE
	if
	:: spread -> !reading[0]; !reading[1]; !reading[2]
	:: else
	fi;
#endif
	freed = true
}

init {
	atomic {
		own = 3;
		holders = 3;
		run holder(0);
		run descendant(1);
		run descendant(2)
	};
	freed;
	assert(!holders)
}
