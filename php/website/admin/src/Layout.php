<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Cr0SyncException;

/**
 * The document around every page: navigation, what is to be told, style and script. Loads nothing from anywhere.
 */
final readonly class Layout
{
    /** After so many seconds a live page is loaded again: while something waits for cron, and while nothing does. */
    private const SOON = 3;
    private const LATER = 10;

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
        } catch (NotThere $none) {
            $status = 404;
            $content = Html::all(Ui::trouble($none->getMessage()), Html::tag('p', [], $none->back));
        } catch (Cr0SyncException $error) {
            $status = 500;
            $content = Ui::trouble(App::words($error));
        }
        // To load a look again would look no more.
        $seconds = $page->isLive() && $status === 200 && !$request->isLook
            ? (Requests::isAnyWaiting($library) ? self::SOON : self::LATER)
            : null;
        $body = Html::all(
            Html::tag('a', ['class' => 'skip', 'href' => '#content'], 'To the content'),
            Html::tag(
                'header',
                [],
                Html::tag('p', ['class' => 'name'], $this->settings->title),
                // On a phone the pages are listed when somebody asks for it; by addresses, so that no script is needed.
                Html::tag('a', ['class' => 'menu button', 'href' => '#pages'], 'Menu'),
                $this->navigation(),
                $this->account(),
            ),
            Html::tag(
                'main',
                ['id' => 'content', 'tabindex' => '-1', 'data-live' => $seconds],
                Html::tag('h1', [], $page->title()),
                self::notice($notice),
                $content,
            ),
        );

        return self::document($status, "{$page->title()} - {$this->settings->title}", $body);
    }

    /** For whom the website knows and does not let in here: to log in again as the same would lead back to this page. */
    public static function notAllowed(Settings $settings): Response
    {
        $login = $settings->loginUrl === null
            ? 'log out of the website, and log in as one.'
            : [Html::tag('a', ['href' => $settings->loginUrl], 'log in to the website'), ' as one.'];

        return self::outside($settings, 'Not allowed', null, Html::all(
            Html::tag('p', [], 'You are logged in to the website, but not as one of its administrators. These pages '
                . 'are '
                . 'for them alone.'),
            Html::tag('p', [], 'If you have the account of an administrator, ', $login),
            Html::tag('p', [], 'If yours should be one, ask whoever looks after the website.'),
        ), 403);
    }

    /** For who pressed a button that came to nothing: that it did, and where to go on. */
    public static function nothingDone(
        Settings $settings,
        string $title,
        string $next,
        ?string $address,
        int $status = 403,
        ?int $retryAfter = null,
    ): Response {
        return self::outside($settings, $title, null, Html::all(
            Html::tag('p', [], 'Nothing was done.'),
            $address === null
                ? Html::tag('p', [], "{$next}.")
                : Html::tag('p', [], Html::tag('a', ['href' => $address], $next)),
        ), $status, $retryAfter);
    }

    /** A page for those who are not in. */
    public static function outside(
        Settings $settings,
        string $title,
        ?Notice $notice,
        Html $content,
        int $status = 200,
        ?int $retryAfter = null,
    ): Response {
        $body = Html::tag(
            'main',
            ['id' => 'content', 'class' => 'outside'],
            Html::tag('h1', [], $title),
            self::notice($notice),
            $content,
        );

        return self::document($status, "{$title} - {$settings->title}", $body, $retryAfter);
    }

    private static function document(int $status, string $title, Html $body, ?int $retryAfter = null): Response
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

        return Response::page($status, "<!doctype html>\n{$document->markup}\n", $nonce, $retryAfter);
    }

    private function navigation(): Html
    {
        $items = [];
        foreach (App::PAGES as $name => $class) {
            $here = $name === $this->current ? 'page' : null;
            $link = ['href' => $this->forms->address($name), 'aria-current' => $here];
            $items[] = Html::tag('li', [], Html::tag('a', $link, (new $class())->title()));
        }

        $close = Html::tag('a', ['class' => 'menu button', 'href' => '#content'], 'Close the menu');

        return Html::tag('nav', ['id' => 'pages', 'aria-label' => 'Pages'], Html::tag('ul', [], $items), $close);
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
        // The script puts a button beside it; without one a click chooses all of it.
        $secret = $notice?->secret === null ? null : Html::all(
            Html::tag('p', ['class' => 'once'], Html::tag('strong', [], 'Shown once: copy it now.'), ' It is gone '
                . 'with the '
                . 'next page, and nobody can show it again.'),
            Html::tag('code', ['class' => 'secret', 'data-copy' => true], $notice->secret),
        );
        $class = $notice === null ? 'notice empty' : "notice {$notice->kind}";

        $words = $notice === null ? null : Ui::quoting($notice->text);
        $text = $secret === null ? $words : Html::tag('p', [], $words);

        return Html::tag('div', ['role' => 'status', 'class' => $class, 'id' => 'notice'], $text, $secret);
    }
}
