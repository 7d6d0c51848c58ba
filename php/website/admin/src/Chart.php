<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * A chart as inline SVG, with a title, a description, a legend, and the same numbers as a table behind a click.
 *
 * Series differ by pattern, dash and mark too, never by colour alone. Colours come from the style of the pages.
 */
final readonly class Chart
{
    /** The units of the drawing; it is as wide as its place. */
    private const WIDTH = 480;
    private const HEIGHT = 210;
    private const LEFT = 48;
    private const RIGHT = 470;
    private const TOP = 12;
    private const BOTTOM = 180;
    private const CLASSES = ['first', 'second', 'third'];
    private const DASHES = ['none', '6 3', '2 3', '8 3 2 3'];

    /**
     * @param string $id a word that no other chart of the page has
     * @param list<string> $labels of the places from left to right, the oldest first
     * @param array<string, list<?int>> $series a number for each place; null where there is none
     * @param array<int, string> $ticks what stands below which places
     */
    public function __construct(
        private string $id,
        private string $title,
        private string $description,
        private array $labels,
        private array $series,
        private array $ticks,
    ) {
    }

    /** Bars, those of several series on one another. */
    public function bars(): Html
    {
        $sums = [];
        foreach (array_keys($this->labels) as $at) {
            $sums[] = array_sum(array_map(static fn (array $numbers): int => $numbers[$at] ?? 0, $this->series));
        }
        $step = self::step(max([0, ...$sums]));
        $top = self::top($step, max([0, ...$sums]));
        $width = $this->pitch() * 0.72;
        $bars = [];
        foreach (array_keys($this->labels) as $at) {
            $below = 0;
            foreach (array_values($this->series) as $number => $numbers) {
                $value = $numbers[$at] ?? 0;
                if ($value > 0) {
                    $end = self::y($below + $value, $top);
                    $bars[] = $this->swatch($number, [
                        'x' => self::round($this->x($at) - $width / 2),
                        'y' => self::round($end),
                        'width' => self::round($width),
                        'height' => self::round(self::y($below, $top) - $end),
                    ]);
                    $below += $value;
                }
            }
        }

        return $this->figure($step, $top, Html::all($bars), fn (int $number): Html => $this->swatch(
            $number,
            ['x' => 1, 'y' => 1, 'width' => 20, 'height' => 10],
        ));
    }

    /** A line for each series, with a mark at each place that has a number; it is broken where there is none. */
    public function lines(): Html
    {
        $all = array_merge([0], ...array_values(array_map(array_filter(...), $this->series)));
        $step = self::step(max($all));
        $top = self::top($step, max($all));
        $parts = [];
        foreach (array_values($this->series) as $number => $numbers) {
            $points = [];
            foreach ([...$numbers, null] as $at => $value) {
                if ($value !== null) {
                    $points[] = [self::round($this->x($at)), self::round(self::y($value, $top))];
                    continue;
                }
                $parts[] = self::line($number, $points);
                $points = [];
            }
        }

        return $this->figure($step, $top, Html::all($parts), static fn (int $number): Html => self::line(
            $number,
            [[2, 6], [20, 6]],
        ));
    }

    /** @param callable(int): Html $sample how a series looks, for the legend */
    private function figure(int $step, int $top, Html $drawing, callable $sample): Html
    {
        $legend = [];
        foreach (array_keys($this->series) as $number => $name) {
            $sign = ['class' => 'chart sample', 'viewBox' => '0 0 22 12', 'aria-hidden' => 'true'];
            $legend[] = Html::tag('li', [], Html::tag('svg', $sign, $sample($number)), " {$name}");
        }
        $rows = [];
        foreach ($this->labels as $at => $label) {
            $numbers = array_map(static fn (array $one): string => self::number($one[$at] ?? null), $this->series);
            $rows[] = [$label, ...array_values($numbers)];
        }
        $columns = ['From (UTC)', ...array_map(strval(...), array_keys($this->series))];
        $about = ['role' => 'img', 'aria-labelledby' => "{$this->id}-title {$this->id}-about"];
        $box = '0 0 ' . self::WIDTH . ' ' . self::HEIGHT;

        return Html::tag(
            'figure',
            ['class' => 'plot'],
            Html::tag('figcaption', [], Html::tag('h3', [], $this->title), Html::tag('p', [], $this->description)),
            Html::tag(
                'svg',
                ['class' => 'chart', 'viewBox' => $box] + $about,
                Html::tag('title', ['id' => "{$this->id}-title"], $this->title),
                Html::tag('desc', ['id' => "{$this->id}-about"], $this->description),
                $this->patterns(),
                $this->axes($step, $top),
                $drawing,
            ),
            count($legend) < 2 ? null : Html::tag('ul', ['class' => 'legend'], $legend),
            Html::tag(
                'details',
                [],
                Html::tag('summary', [], 'The same as a table'),
                Ui::table($this->title, $columns, $rows, range(1, max(1, count($this->series)))),
            ),
        );
    }

    private function axes(int $step, int $top): Html
    {
        $parts = [];
        for ($value = 0; $value <= $top; $value += $step) {
            $y = self::round(self::y($value, $top));
            $line = ['class' => 'axis', 'x1' => self::LEFT, 'x2' => self::RIGHT, 'y1' => $y, 'y2' => $y];
            $parts[] = Html::tag('line', $line);
            $place = ['x' => self::LEFT - 5, 'y' => $y + 4, 'text-anchor' => 'end'];
            $parts[] = Html::tag('text', $place, self::short($value));
        }
        foreach ($this->ticks as $at => $words) {
            $place = ['x' => self::round($this->x($at)), 'y' => self::BOTTOM + 18, 'text-anchor' => 'middle'];
            $parts[] = Html::tag('text', $place, $words);
        }

        return Html::all($parts);
    }

    /** Stripes for the second and dots for the third series of bars. */
    private function patterns(): Html
    {
        $same = ['width' => 6, 'height' => 6, 'patternUnits' => 'userSpaceOnUse'];
        $stripes = Html::tag('path', ['class' => 'second', 'd' => 'M-1,7 L7,-1', 'stroke-width' => 2.5]);
        $dots = Html::tag('circle', ['class' => 'third', 'cx' => 3, 'cy' => 3, 'r' => 1]);

        return Html::tag(
            'defs',
            [],
            Html::tag('pattern', ['id' => "{$this->id}-1"] + $same, $stripes),
            Html::tag('pattern', ['id' => "{$this->id}-2"] + $same, $dots),
        );
    }

    /** @param array<string, int|float> $place */
    private function swatch(int $number, array $place): Html
    {
        $number %= count(self::CLASSES);
        $class = self::CLASSES[$number];
        $look = $number === 0 ? ['class' => $class] : [
            'class' => "edge {$class}",
            'fill' => "url(#{$this->id}-{$number})",
        ];

        return Html::tag('rect', $look + $place);
    }

    /** @param list<array{float|int, float|int}> $points */
    private static function line(int $number, array $points): Html
    {
        $class = self::CLASSES[$number % count(self::CLASSES)];
        $marks = array_map(static fn (array $point): Html => self::mark($number, $class, ...$point), $points);
        $path = implode(' ', array_map(static fn (array $point): string => "{$point[0]},{$point[1]}", $points));
        $dash = self::DASHES[$number % count(self::DASHES)];
        $line = ['class' => "lines {$class}", 'points' => $path, 'stroke-dasharray' => $dash];

        return Html::all(count($points) < 2 ? null : Html::tag('polyline', $line), $marks);
    }

    private static function mark(int $number, string $class, float|int $x, float|int $y): Html
    {
        return match ($number % 3) {
            0 => Html::tag('circle', ['class' => $class, 'cx' => $x, 'cy' => $y, 'r' => 2.6]),
            1 => Html::tag(
                'rect',
                ['class' => $class, 'x' => $x - 2.4, 'y' => $y - 2.4, 'width' => 4.8, 'height' => 4.8],
            ),
            default => Html::tag('path', [
                'class' => $class,
                'd' => 'M' . $x . ',' . ($y - 3.2) . ' l3.2,5.6 h-6.4 z',
            ]),
        };
    }

    /** The distance of two lines of the grid: 1, 2 or 5 with zeros, so that there are about four. */
    private static function step(int $most): int
    {
        $size = 1;
        while (true) {
            foreach ([1, 2, 5] as $digit) {
                if ($digit * $size * 5 >= $most || $size > PHP_INT_MAX / 100) {
                    return $digit * $size;
                }
            }
            $size *= 10;
        }
    }

    private static function top(int $step, int $most): int
    {
        return max(1, (int) ceil($most / $step)) * $step;
    }

    private function pitch(): float
    {
        return (self::RIGHT - self::LEFT) / max(1, count($this->labels));
    }

    private function x(int $at): float
    {
        return self::LEFT + $this->pitch() * ($at + 0.5);
    }

    private static function y(int $value, int $top): float
    {
        return self::BOTTOM - (self::BOTTOM - self::TOP) * $value / $top;
    }

    private static function round(float $number): float
    {
        return round($number, 1);
    }

    /** A round number in a small place. */
    private static function short(int $number): string
    {
        return match (true) {
            $number >= 1_000_000 => $number / 1_000_000 . ' M',
            $number >= 10_000 => $number / 1000 . 'k',
            default => number_format($number),
        };
    }

    private static function number(?int $number): string
    {
        return $number === null ? '-' : number_format($number);
    }
}
