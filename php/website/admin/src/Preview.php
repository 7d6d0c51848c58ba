<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Cr0SyncException;
use Cr0Sync\LockedException;

/**
 * What would be written now, for who asks. To tell that, the library reads whole databases while no run may begin: only
 * a form asks for it, each time anew, and neither a link nor a page that loads itself again.
 */
final readonly class Preview
{
    private const TITLE = 'What would be written now';

    /** @param array<string, string> $query names the page on which the plan is shown */
    public function __construct(private Forms $forms, private array $query)
    {
    }

    /** @param callable(): array<string, mixed> $plan */
    public function html(Request $request, callable $plan): Html
    {
        if (!$request->isLook) {
            return $this->offer('Show how many rows would be written now');
        }
        try {
            return RunView::plan($plan()['databases']);
        } catch (LockedException) {
            $words = 'A run is at work now, so that nobody can tell. Try again in a moment.';
        } catch (Cr0SyncException $error) {
            $words = App::words($error);
        }

        return Html::all(Ui::section(self::TITLE, Ui::trouble($words), $this->offer('Try again')));
    }

    /**
     * To the page that it is shown on.
     *
     * @param list<string> $names of the fields that name it
     */
    public static function ask(Request $request, array $names): Outcome
    {
        $query = array_combine($names, array_map($request->field(...), $names));

        return new Outcome(null, array_filter($query, static fn (string $one): bool => $one !== ''));
    }

    private function offer(string $words): Html
    {
        $hidden = array_map(Forms::hidden(...), array_keys($this->query), $this->query);

        return Html::tag('div', ['class' => 'preview'], $this->forms->post(
            'look',
            $hidden,
            Forms::button($words),
            Html::tag('span', ['class' => 'quiet'], 'Reads the whole database, which can take a while; no run begins '
                . 'meanwhile.'),
        ));
    }
}
