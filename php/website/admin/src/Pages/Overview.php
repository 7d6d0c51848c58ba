<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Request;

/**
 * Overview
 */
final readonly class Overview implements Page
{
    public function title(): string
    {
        return 'Overview';
    }

    public function isLive(): bool
    {
        return false;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        return Html::all();
    }

    public function act(Request $request, Library $library): Outcome
    {
        return new Outcome(Notice::failed('Nothing is asked for here.'));
    }
}
