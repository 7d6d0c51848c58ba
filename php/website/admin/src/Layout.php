<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Cr0SyncException;

/**
 * The document around every page: navigation, what is to be told, style and script. Loads nothing from anywhere.
 */
final readonly class Layout
{
    public function __construct(
        private Settings $settings,
        private string $user,
        private string $current,
        private Forms $forms,
    ) {
    }

    public function response(Page $page, Request $request, Library $library, ?Notice $notice): Response
    {
        $status = 200;
        try {
            $content = $page->show($request, $library, $this->forms);
        } catch (Cr0SyncException $error) {
            $status = 500;
            $content = Ui::trouble(App::words($error));
        }
        $isLive = $page->isLive() && $status === 200;
        $body = Html::all(
            Html::tag('a', ['class' => 'skip', 'href' => '#content'], 'To the content'),
            Html::tag(
                'header',
                [],
                Html::tag('p', ['class' => 'name'], $this->settings->title),
                $this->navigation(),
                $this->account(),
            ),
            Html::tag(
                'main',
                ['id' => 'content', 'tabindex' => '-1', 'data-live' => $isLive ? '10' : null],
                Html::tag('h1', [], $page->title()),
                self::notice($notice),
                $content,
            ),
        );

        return self::document($status, "{$page->title()} - {$this->settings->title}", $body);
    }

    /** A page for those who are not in yet. */
    public static function outside(Settings $settings, string $title, ?Notice $notice, Html $content): Response
    {
        $body = Html::tag(
            'main',
            ['id' => 'content', 'class' => 'outside'],
            Html::tag('h1', [], $title),
            self::notice($notice),
            $content,
        );

        return self::document(200, "{$title} - {$settings->title}", $body);
    }

    private static function document(int $status, string $title, Html $body): Response
    {
        $nonce = base64_encode(random_bytes(18));
        $head = Html::tag(
            'head',
            [],
            Html::tag('meta', ['charset' => 'utf-8']),
            Html::tag('meta', ['name' => 'viewport', 'content' => 'width=device-width, initial-scale=1']),
            Html::tag('meta', ['name' => 'color-scheme', 'content' => 'light dark']),
            Html::tag('link', ['rel' => 'icon', 'href' => 'data:,']),
            Html::tag('title', [], $title),
            Html::tag('style', ['nonce' => $nonce], Html::own((string) file_get_contents(__DIR__ . '/../style.css'))),
        );
        $script = Html::own((string) file_get_contents(__DIR__ . '/../script.js'));
        $document = Html::tag(
            'html',
            ['lang' => 'en'],
            $head,
            Html::tag('body', [], $body, Html::tag('script', ['nonce' => $nonce], $script)),
        );

        return Response::page($status, "<!doctype html>\n{$document->markup}\n", $nonce);
    }

    private function navigation(): Html
    {
        $items = [];
        foreach (App::PAGES as $name => $class) {
            $here = $name === $this->current ? 'page' : null;
            $link = ['href' => $this->forms->address($name), 'aria-current' => $here];
            $items[] = Html::tag('li', [], Html::tag('a', $link, (new $class())->title()));
        }

        return Html::tag('nav', ['aria-label' => 'Pages'], Html::tag('ul', [], $items));
    }

    private function account(): Html
    {
        $words = Html::tag('span', ['class' => 'user'], $this->user);
        // Whoever comes in by the website's login leaves by it.
        $out = $this->settings->admin === null
            ? $this->forms->post('log_out', Forms::button('Log out'))
            : null;

        return Html::tag('div', ['class' => 'account'], $words, $out);
    }

    private static function notice(?Notice $notice): Html
    {
        $secret = $notice?->secret === null
            ? null
            : Html::tag('code', ['class' => 'secret', 'data-copy' => true], $notice->secret);
        $class = $notice === null ? 'notice empty' : "notice {$notice->kind}";

        return Html::tag('div', ['role' => 'status', 'class' => $class, 'id' => 'notice'], $notice?->text, $secret);
    }
}
