// SPDX-License-Identifier: GPL-2.0
/*
 * usage: soak SECONDS SEED
 *
 * Rounds of load, of a minute at most, and of silence. Prints how far it is every ten
 * seconds, and figures at the end. Ends 1 if anything was wrong. See soak.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <libctx.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../memory.h"
#include "soak.h"

#define WORKERS		6
#define ROUND_SECONDS	60
#define SAY_SECONDS	10
#define GROUP_MAX	"48M"
#define FILES		20000

struct soak *soak;

static int64_t started;

int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * CTX_SEC + ts.tv_nsec;
}

void die(const char *what)
{
	printf("# WRONG: %s: %s\n", what, strerror(errno));
	_exit(2);
}

void wrong(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("# WRONG: %s\n", text);
	add(&soak->wrong, 1);
}

/* splitmix64: neighbours differ in all bits. */
static uint64_t dice_next(struct dice *dice)
{
	uint64_t z = dice->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void dice_init(struct dice *dice, uint64_t seed, unsigned int process)
{
	dice->state = seed;
	dice->state = dice_next(dice) + process;
}

unsigned int dice_below(struct dice *dice, unsigned int bound)
{
	return dice_next(dice) % bound;
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	if (!file || fputs(text, file) < 0 || fclose(file))
		die(path);
}

/* Whoever this starts is not to be killed for want of memory, but for the holders. */
static void set_up(void)
{
	const struct rlimit files = { FILES, FILES };

	setvbuf(stdout, NULL, _IOLBF, 0);
	soak = mmap(NULL, sizeof(*soak), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (soak == MAP_FAILED || setrlimit(RLIMIT_NOFILE, &files))
		die("set_up");
	put("/proc/self/oom_score_adj", "-1000");
	put(CGROUPS "/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755))
		die(GROUP);
	put(GROUP "/memory.max", GROUP_MAX);
}

static void say(const char *what)
{
	printf("# soak: %" PRId64 " s, %s: %ld processes killed, %lld by the OOM killer; ",
	       (now() - started) / CTX_SEC, what, see(&soak->killed),
	       read_field("/proc/vmstat", "oom_kill"));
	printf("%lld contexts, %lld live; %ld deadlines kept; %lld MiB free\n",
	       read_field(CTX_COUNTERS, "derived"), read_field(CTX_COUNTERS, "live"),
	       see(&soak->kept), read_field("/proc/meminfo", "MemFree") / 1024);
}

static pid_t start(void (*fn)(struct dice *dice), uint64_t seed, unsigned int process)
{
	struct dice dice;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	dice_init(&dice, seed, process);
	fn(&dice);
	_exit(0);
}

static void join(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		wrong("process %d ended with status 0x%x", pid, status);
}

static void load(int64_t end, uint64_t seed, int round)
{
	pid_t pids[WORKERS + 1];
	int i;

	soak->stop = 0;
	for (i = 0; i < WORKERS; i++)
		pids[i] = start(worker, seed, round * (WORKERS + 1) + i);
	pids[i] = start(keeper, seed, round * (WORKERS + 1) + i);
	while (now() < end) {
		const int64_t left = (end - now()) / CTX_SEC + 1;

		sleep(left < SAY_SECONDS ? left : SAY_SECONDS);
		say("load");
	}
	__atomic_store_n(&soak->stop, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i <= WORKERS; i++)
		join(pids[i]);
}

static void print_figures(int rounds)
{
	printf("# figures: rounds %d\n", rounds);
	printf("# figures: processes killed %ld\n", see(&soak->killed));
	printf("# figures: by the OOM killer %lld, of which for their group's memory %lld\n",
	       read_field("/proc/vmstat", "oom_kill"),
	       read_field(GROUP "/memory.events", "oom_kill"));
	printf("# figures: contexts %lld, cancelled %lld, expired %lld\n",
	       read_field(CTX_COUNTERS, "derived"), read_field(CTX_COUNTERS, "cancelled"),
	       read_field(CTX_COUNTERS, "expired"));
	printf("# figures: deadlines kept %ld, the latest by %" PRId64 " us\n", see(&soak->kept),
	       soak->latest / CTX_USEC);
	printf("# figures: derivations refused for want of memory %ld\n", see(&soak->refused));
	printf("# figures: wrong %ld\n", see(&soak->wrong));
}

int main(int argc, char **argv)
{
	const int64_t seconds = argc == 3 ? strtoll(argv[1], NULL, 0) : 0;
	const uint64_t seed = argc == 3 ? strtoull(argv[2], NULL, 0) : 0;
	/* Two, for one to be compared with the other. */
	const int rounds = seconds < 2 * ROUND_SECONDS ? 2 : seconds / ROUND_SECONDS;
	int background, round;

	if (seconds <= 0) {
		fprintf(stderr, "usage: soak SECONDS SEED\n");
		return 2;
	}
	set_up();
	background = ctx_background();
	if (background < 0)
		die("ctx_background");
	/* So that there is what is kept for the next context. */
	close(ctx_with_cancel(background));
	quiet_check(background, -1);
	started = now();
	for (round = 0; round < rounds && !see(&soak->wrong); round++) {
		load(started + (round + 1) * seconds * CTX_SEC / rounds, seed, round);
		quiet_check(background, round);
		say("silence");
	}
	print_figures(round);
	return see(&soak->wrong) != 0;
}
