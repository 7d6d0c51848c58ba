<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Overview;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Preview;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Ui;

/**
 * What says in full what will happen, before somebody asks for something that can take rows away.
 */
final readonly class Confirm
{
    public function __construct(private Library $library, private Forms $forms)
    {
    }

    public function force(string $name, Request $request): Html
    {
        $refusal = self::refusal($this->library, 'force', $name, '');
        if ($refusal !== null) {
            return $this->refused($refusal);
        }
        $held = self::databases($this->library)[$name]['held'];

        return Html::all(Ui::section(
            "Sync {$name} with force",
            Html::tag('p', [], 'The guard stopped the sync ', Ui::when($held['since']), ', and saw this:'),
            Ui::trouble($held['reason']),
            self::steps([
                "The next run of cron syncs {$name} once as if no guard had anything against it.",
                'What was deleted on one side is then deleted on all others.',
                'Nothing of other databases is touched, and the guard is at work again in the run after that.',
                'Before that, an emergency copy of each file that is written is made; it is on the page Backups.',
                'The run is on the page History, where it can be undone.',
            ]),
            Html::tag('p', [], 'If the deletion was not meant, restore that side from a backup instead: ', $this->forms
                ->link('backups', [], 'Backups'), '.'),
            $this->buttons('force', $name, 'Sync now with force', []),
        ), $this->preview('force', $name, [])->html($request, fn (): array => $this->library->read(
            'cr0_db_sync',
            ['database' => $name, 'force' => true, 'dry_run' => true],
        )));
    }

    public function syncFrom(string $name, string $side, Request $request): Html
    {
        $refusal = self::refusal($this->library, 'sync-from', $name, $side);
        if ($refusal !== null) {
            return $this->refused($refusal);
        }
        $hub = $this->library->read('cr0_config')['config']['hub'];
        $label = ' also where a guard would stop it, as most rows of a table would go';
        $force = Html::tag(
            'label',
            ['class' => 'check'],
            Html::tag('input', ['type' => 'checkbox', 'name' => 'force', 'value' => '1']),
            $label,
        );

        return Html::all(Ui::section(
            "Take {$name} from {$side}",
            self::steps([
                "The next run of cron makes {$name} of {$hub} equal to that of {$side}, deletes included.",
                "What only {$hub} has, or what others brought to it and {$side} does not have, is gone from it.",
                "Before that, an emergency copy of the file of {$hub} is made; it is on the page Backups.",
                'The runs after that bring it to the other sides.',
            ]),
            Html::tag('p', [], 'This is for emergencies: a sync as usual loses nothing of either side.'),
            $this->buttons('sync-from', $name, "Take {$name} from {$side}", [Forms::hidden('side', $side), $force]),
        ), $this->preview('sync-from', $name, ['side' => $side])->html($request, fn (): array => $this->library->read(
            'cr0_db_force_sync',
            ['database' => $name, 'force' => true, 'dry_run' => true],
            $side,
        )));
    }

    /** Why that cannot be asked for, if it cannot. */
    public static function refusal(Library $library, string $action, string $name, string $side): ?string
    {
        $database = self::databases($library)[$name] ?? null;
        if ($database === null) {
            return "There is no database {$name}.";
        }
        if ($action === 'force') {
            return $database['held'] === null ? "{$name} is not held: there is nothing to force." : null;
        }
        if (!isset($database['sides'][$side])) {
            return "{$name} has no side {$side}.";
        }
        $isHub = $side === $library->read('cr0_config')['config']['hub'];

        return match (true) {
            $isHub => "{$side} is the hub, which is what others are taken into.",
            !$database['sides'][$side]['exists'] => "{$side} has no file of {$name}.",
            default => null,
        };
    }

    /** @return array<string, array<string, mixed>> */
    private static function databases(Library $library): array
    {
        return $library->read('cr0_db_status')['databases'];
    }

    /** @param list<Html> $more */
    private function buttons(string $action, string $name, string $words, array $more): Html
    {
        return Html::tag('div', ['class' => 'confirm'], $this->forms->post(
            $action,
            Forms::hidden('database', $name),
            $more,
            Forms::button($words, 'danger'),
            $this->forms->link('overview', [], 'Do nothing'),
        ));
    }

    /** @param array<string, string> $more */
    private function preview(string $ask, string $name, array $more): Preview
    {
        return new Preview($this->forms, ['ask' => $ask, 'database' => $name] + $more);
    }

    private function refused(string $why): Html
    {
        return Html::all(Ui::trouble($why), Html::tag('p', [], $this->forms->link('overview', [], 'Back to Overview')));
    }

    /** @param list<string> $steps */
    private static function steps(array $steps): Html
    {
        return Html::tag('ul', [], array_map(static fn (string $one): Html => Html::tag('li', [], $one), $steps));
    }
}
