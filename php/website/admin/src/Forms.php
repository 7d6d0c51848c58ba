<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * Forms and links of one page. A form that changes something always has the token, and a link only ever leads to one
 * of our pages.
 */
final readonly class Forms
{
    public function __construct(private string $self, private string $page, private string $token)
    {
    }

    /** @param array<string, string|int> $query */
    public function address(string $page, array $query = []): string
    {
        return $this->self . '?' . http_build_query(['page' => $page] + $query, '', '&', PHP_QUERY_RFC3986);
    }

    /** @param array<string, string|int> $query */
    public function link(string $page, array $query, mixed ...$children): Html
    {
        return Html::tag('a', ['href' => $this->address($page, $query)], ...$children);
    }

    /** A form that changes something: page and action are named in it, and who reads the page sends it. */
    public function post(string $action, mixed ...$children): Html
    {
        return $this->named(null, $action, ...$children);
    }

    /** The same with an id, by which fields elsewhere on the page can belong to it. */
    public function named(?string $id, string $action, mixed ...$children): Html
    {
        return Html::tag(
            'form',
            ['method' => 'post', 'action' => $this->address($this->page), 'class' => 'act', 'id' => $id],
            self::hidden('csrf', $this->token),
            self::hidden('action', $action),
            ...$children,
        );
    }

    /** A form that only looks for something. */
    public function search(mixed ...$children): Html
    {
        return Html::tag(
            'form',
            ['method' => 'get', 'action' => $this->self, 'class' => 'search'],
            self::hidden('page', $this->page),
            ...$children,
        );
    }

    public static function hidden(string $name, string|int $value): Html
    {
        return Html::tag('input', ['type' => 'hidden', 'name' => $name, 'value' => $value]);
    }

    /** @param string $kind plain, main or danger */
    public static function button(string $words, string $kind = 'plain'): Html
    {
        return Html::tag('button', ['type' => 'submit', 'class' => $kind], $words);
    }

    /** @param array<string, string|int|bool|null> $attributes */
    public static function input(string $label, string $name, array $attributes = []): Html
    {
        $input = Html::tag('input', ['name' => $name] + $attributes);

        return Html::tag('label', [], Html::tag('span', [], $label), $input);
    }

    /** @param array<string, string> $choices what is sent, and what people read */
    public static function select(string $label, string $name, array $choices, string $chosen = ''): Html
    {
        $options = [];
        foreach ($choices as $value => $words) {
            $isChosen = (string) $value === $chosen;
            $options[] = Html::tag('option', ['value' => (string) $value, 'selected' => $isChosen], $words);
        }

        return Html::tag('label', [], Html::tag('span', [], $label), Html::tag('select', ['name' => $name], $options));
    }
}
