# SPDX-License-Identifier: GPL-2.0
#
# usage: gnuplot -e "dir='build/bench'" plot.gp
# Draws cost against size, from the series in DIR/series, each into an SVG in DIR.

set terminal svg size 800,560 dynamic background rgb 'white' font 'sans,13'
set key outside below reverse Left
set grid
set logscale x
set format x '10^{%L}'
series(name) = dir . '/series/' . name . '.dat'
there(name) = system(sprintf("[ -e '%s' ] && echo 1 || echo 0", series(name))) + 0

set ylabel 'instructions for each'
set yrange [0:*]

if (there('wide.build')) {
	set output dir . '/children.svg'
	set title 'Children of one context'
	set xlabel 'children'
	plot series('wide.build') with linespoints title 'with\_cancel', \
		series('wide.cancel') with linespoints title 'cancel, by the parent', \
		series('wide.release') with linespoints title 'put'

	set output dir . '/depth.svg'
	set title 'A chain of contexts'
	set xlabel 'depth'
	plot series('deep.build') with linespoints title 'with\_cancel', \
		series('deep.cancel') with linespoints title 'cancel, by the first', \
		series('deep.release') with linespoints title 'put'

	set output dir . '/timers.svg'
	set title 'A timeout of an hour, cancelled'
	set xlabel 'others armed'
	plot series('go.WithTimeout_concurrency') using 1:($2 / 10) with linespoints title 'Go', \
		series('timeout') with linespoints title 'with\_timeout + cancel + put', \
		series('hrtimer') with linespoints title 'hrtimer: start + cancel'

	set logscale y
	set yrange [10:*]
	set ylabel 'instructions'
	set output dir . '/values.svg'
	set title 'Looking up a value'
	set xlabel 'values above'
	plot series('go.DeepValueSameGoRoutine_depth') with linespoints title 'Go, absent', \
		series('value.absent') with linespoints title 'absent', \
		series('value.furthest') with linespoints title 'furthest', \
		series('value.nearest') with linespoints title 'nearest', \
		60 with lines dashtype 2 title '60'

	unset logscale y
	set yrange [0:*]
	set output dir . '/irqsoff.svg'
	set title 'Longest stretch with interrupts off'
	set xlabel 'contexts, with a callback each'
	plot series('irqsoff.cancel.wide') with linespoints title 'cancel, wide', \
		series('irqsoff.cancel.deep') with linespoints title 'cancel, deep', \
		series('irqsoff.expire.wide') with linespoints title 'expiry, wide', \
		series('irqsoff.expire.deep') with linespoints title 'expiry, deep', \
		5000 with lines dashtype 2 title '5000'
}

# Ratios to one CPU, where several were measured.
name = '4cpus.contended.derive.shared'
if (there(name)) {
	set output dir . '/cpus.svg'
	unset logscale x
	set format x '%g'
	set title 'Throughput of several CPUs'
	set xlabel 'CPUs'
	set xtics 1
	set ylabel 'times one CPU'
	plot series('4cpus.contended.derive.private') with linespoints \
			title 'derive + cancel + put, on a parent each', \
		series(name) with linespoints title 'on one parent', \
		series('4cpus.contended.list.private') with linespoints \
			title 'list under a lock, one each', \
		series('4cpus.contended.list.shared') with linespoints title 'one list', \
		series('4cpus.contended.free') with linespoints title 'a loop that shares nothing', \
		x with lines dashtype 2 title 'perfect'
}

# Storms of deadlines: how late they are, and for how long interrupts are off.
name = 'storm.kernel.late_histogram'
if (there(name)) {
	set logscale x
	set format x '10^{%L}'
	set xtics auto
	set xlabel 'instructions'
	set output dir . '/storm.svg'
	set title 'Deadlines of a storm: how late'
	set ylabel 'deadlines'
	plot series('storm.hrtimer.late_histogram') with histeps title 'bare hrtimers', \
		series(name) with histeps title 'of the kernel', \
		series('storm.user.late_histogram') with histeps title 'of processes', \
		series('storm.epoll.late_histogram') with histeps title '... in epoll sets', \
		series('storm.epoll.seen_histogram') with histeps title '... seen there'
	set logscale y
	set yrange [0.5:*]
	set output dir . '/storm_off.svg'
	set title 'Another timer during the storm: how late'
	set ylabel 'times'
	plot series('storm.hrtimer.late_timer_histogram') with impulses lw 3 \
			title 'bare hrtimers', \
		series('storm.kernel.late_timer_histogram') using ($1 * 1.15):2 \
			with impulses lw 3 title 'of the kernel', \
		series('storm.user.late_timer_histogram') using ($1 * 1.3):2 \
			with impulses lw 3 title 'of processes', \
		series('storm.epoll.late_timer_histogram') using ($1 * 1.45):2 \
			with impulses lw 3 title '... in epoll sets'
}
