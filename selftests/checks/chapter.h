/* SPDX-License-Identifier: GPL-2.0 */
/* The driver that the chapter for authors of drivers shows pieces of; see "chapter". */
#include <linux/completion.h>
#include <linux/ctx.h>
#include <linux/dma-fence.h>
#include <linux/kthread.h>
#include <linux/platform_device.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/linux/ctx.h>

enum { BANKS = 4 };

struct dev;

struct bank {
	struct dev *dev;
};

struct dev {
	struct ctx *ctx;
	wait_queue_head_t wq;
	struct workqueue_struct *queue;
	bool ready, work, gone, stop;
	struct bank bank[BANKS];
	struct completion flashed;
	atomic_t running;
	int err;
#ifdef BEFORE
	struct task_struct *thread;
	struct delayed_work poll;
#else
	struct ctx_thread *thread;
	struct ctx_work poll;
#endif
};

struct req {
	struct ctx *ctx;
	struct ctx_callback done;
	struct timer_list timer;
	atomic_t over;
	wait_queue_head_t wq;
	bool ready;
};

struct job {
	wait_queue_head_t wq;
	bool done, stop;
	struct dma_fence_cb cb;
	struct work_struct stop_work;
};

/* What a process opened, and what it asks for. */
struct dev_file {
	bool closed;
};

struct dev_arg {
	int ctx;
};

extern bool failed;

#ifdef BEFORE
int bank_write(struct bank *bank);
void read_state(struct dev *dev);
#else
int bank_write(struct ctx *ctx, struct bank *bank);
void read_state(struct ctx *ctx, struct dev *dev);
#endif
void complete_request(struct req *req, int err);
void abort_requests(struct dev *dev);
void wake_up_all_requests(struct dev *dev);
void wake_up_requests_of(struct dev_file *file);

/* Where there are statements only. */
#define STATEMENTS(nr)								\
	static int statements_##nr(struct dev *dev, struct req *req, struct job *job,	\
				   struct dev_file *file, struct dev_arg arg,	\
				   struct dma_fence *fence,			\
				   struct platform_device *pdev, int err, long left)
